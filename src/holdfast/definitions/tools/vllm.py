"""vLLM's `vllm bench serve`: every event with choices is a token event, an empty one too; failures are left out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from holdfast.definitions.base import (
    CHOICES,
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
    kept,
    of_kinds,
    output_tokens,
    over,
    plain,
    row,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.model.stream import Stream


class Vllm(Tool):
    """`vllm/benchmarks/serve.py`, `calculate_metrics`; `lib/endpoint_request_func.py` for what it stamps."""

    title = "vllm bench serve 0.32"
    says: ClassVar[Mapping[str, str]] = {
        TTFT: "sent -> first event with choices, the empty role event included",
        TPOT: "(e2e - ttft) / (tokens - 1), a request each; answers of one token are left out",
        ITL: "from each event with choices to the next, the finish event included, all requests pooled",
        E2E: "sent -> last event with choices",
        REQUESTS: "successful requests / (first sent -> last end)",
        TOKENS: "their output tokens / (first sent -> last end)",
        GOODPUT: "successful requests within ttft, tpot (0 for one token) and e2e, per second of the run",
    }

    def sample(self, stream: Stream) -> Sample | None:
        """Successful once an event with choices came and the connection closed in order."""
        if stream.sent is None:
            return None
        events = of_kinds(stream, CHOICES)
        end = stream.sent if stream.ended is None else stream.ended
        if not events or not body_came(stream):
            return Sample(failed=True, start=stream.sent, end=end)
        return Sample(
            start=stream.sent,
            end=end,
            times=_times(stream, stream.sent),
            tokens=0 if plain(stream) else output_tokens(stream),
            prompt=stream.prompt_tokens or 0,
        )

    def goodput(self, samples: Sequence[Sample], bounds: Bounds) -> Goodput | None:
        """A rate alone: it prints no share."""
        if bounds.ttft is None and bounds.tpot is None and bounds.e2e is None:
            return None
        good = sum(not one.failed and _good(one, bounds) for one in samples)
        return Goodput(good=good, of=None, per_second=over(good, self.seconds(samples)))


def _times(stream: Stream, sent: float) -> dict[str, tuple[float, ...]]:
    stamps = [piece.t for piece in of_kinds(stream, CHOICES)]
    whole = stamps[-1] - sent
    if plain(stream):
        return row(E2E, whole)
    first, tokens = stamps[0] - sent, output_tokens(stream)
    return {
        **row(TTFT, first),
        **row(TPOT, (whole - first) / (tokens - 1) if tokens > 1 else None),
        **row(ITL, *(later - earlier for earlier, later in pairwise(stamps))),
        **row(E2E, whole),
    }


def _good(one: Sample, bounds: Bounds) -> bool:
    return (
        kept(one.one(TTFT), bounds.ttft, missing=False)
        and kept(one.one(TPOT), bounds.tpot, missing=True)
        and kept(one.one(E2E), bounds.e2e, missing=False)
    )


TOOL = Vllm()
