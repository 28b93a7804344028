"""Ray's llmperf: visible content alone, and an ITL that is the last content's stamp over the number of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.definitions.base import (
    CHOICES,
    E2E,
    ITL,
    REQUESTS,
    TOKENS,
    TTFT,
    Sample,
    Tool,
    body_came,
    brought,
    of_kinds,
    plain,
    row,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.stream import Stream

_CONTENT: Final[frozenset[str]] = frozenset({"content"})


class LlmPerf(Tool):
    """`ray_clients/openai_chat_completions_client.py`, `token_benchmark_ray.py`; last changed in December 2024."""

    title = "llmperf (f1d6bed)"
    says: ClassVar[Mapping[str, str]] = {
        TTFT: "sent -> first event with content; 0 without any",
        ITL: "(last content - sent) / events with choices, the first token's wait included; 0 without content",
        E2E: "sent -> the exchange is over",
        REQUESTS: "successful requests / (first sent -> last end)",
        TOKENS: "their content tokens / (first sent -> last end)",
    }

    def sample(self, stream: Stream) -> Sample | None:
        """An error event fails it. It asks for no usage, so that event and comments, which break it, are left out."""
        if stream.sent is None:
            return None
        end = stream.sent if stream.ended is None else stream.ended
        if not body_came(stream) or plain(stream) or any(piece.kind == "error" for piece in stream.pieces):
            return Sample(failed=True, start=stream.sent, end=end)
        content, events = of_kinds(stream, _CONTENT), len(of_kinds(stream, CHOICES))
        return Sample(
            start=stream.sent,
            end=end,
            times={
                **row(TTFT, content[0].t - stream.sent if content else 0.0),
                **row(ITL, (content[-1].t - stream.sent) / events if content else 0.0),
                **row(E2E, end - stream.sent),
            },
            tokens=brought(content),
            prompt=stream.prompt_tokens or 0,
        )


TOOL = LlmPerf()
