"""Kubernetes' inference-perf: visible content alone, a stamp a token, and nothing for an answer of one token."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.definitions.base import (
    E2E,
    GOODPUT,
    ITL,
    REQUESTS,
    TOKENS,
    TPOT,
    TTFT,
    Bounds,
    Goodput,
    Sample,
    Tool,
    body_came,
    brought,
    kept,
    of_kinds,
    output_tokens,
    over,
    plain,
    row,
    window,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.model.stream import Stream

NORMALIZED: Final = "ntpot"
_CONTENT: Final[frozenset[str]] = frozenset({"content"})


class InferencePerf(Tool):
    """`inference_perf/reportgen/base.py`, `compute_request_latency_metrics`; `apis/streaming_parser.py` for stamps."""

    title = "inference-perf 0.7"
    says: ClassVar[Mapping[str, str]] = {
        TTFT: "sent -> first content token; nothing for an answer of one token",
        TPOT: "(last content token - first) / (content tokens - 1), a request each",
        ITL: "from each content token to the next, 0 inside a chunk, all requests pooled",
        NORMALIZED: "e2e / content tokens, a request each; 0 without any",
        E2E: "sent -> the exchange is over",
        REQUESTS: "successful requests / (first sent -> last end)",
        TOKENS: "their content tokens / (first sent -> last end)",
        GOODPUT: "share of the successful requests within ttft, tpot and e2e; one without one of them is not good",
    }

    def sample(self, stream: Stream) -> Sample | None:
        """Successful when the body came, whatever was in it; tokens are counted again from the content."""
        if stream.sent is None:
            return None
        end = stream.sent if stream.ended is None else stream.ended
        if not body_came(stream):
            return Sample(failed=True, start=stream.sent, end=end)
        content = of_kinds(stream, _CONTENT)
        # It counts a plain body's text itself too; the record has the server's count for that.
        tokens = output_tokens(stream) if plain(stream) else brought(content)
        stamps = () if plain(stream) else tuple(piece.t for piece in content for _ in range(piece.tokens))
        whole = end - stream.sent
        return Sample(
            start=stream.sent,
            end=end,
            times={
                **_streamed(stamps, stream.sent),
                **row(NORMALIZED, whole / tokens if tokens else 0.0),
                **row(E2E, whole),
            },
            tokens=tokens,
            prompt=stream.prompt_tokens or 0,
        )

    def goodput(self, samples: Sequence[Sample], bounds: Bounds) -> Goodput | None:
        """Failures are in neither count nor window."""
        if bounds.ttft is None and bounds.tpot is None and bounds.e2e is None:
            return None
        there = [one for one in samples if not one.failed]
        good = sum(_good(one, bounds) for one in there)
        return Goodput(good=good, of=len(there), per_second=over(good, window(there))) if there else None


def _streamed(stamps: Sequence[float], sent: float) -> dict[str, tuple[float, ...]]:
    """All three need a second token."""
    if len(stamps) <= 1:
        return {}
    return {
        **row(TTFT, stamps[0] - sent),
        **row(TPOT, (stamps[-1] - stamps[0]) / (len(stamps) - 1)),
        **row(ITL, *(later - earlier for earlier, later in pairwise(stamps))),
    }


def _good(one: Sample, bounds: Bounds) -> bool:
    return (
        kept(one.one(TTFT), bounds.ttft, missing=False)
        and kept(one.one(TPOT), bounds.tpot, missing=False)
        and kept(one.one(E2E), bounds.e2e, missing=False)
    )


TOOL = InferencePerf()
