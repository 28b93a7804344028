"""NVIDIA AIPerf: only responses with content count, from first to last; failures stand in rows of their own."""

from __future__ import annotations

import math
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
    VISIBLE,
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
    window,
)
from holdfast.model.stream import TOKEN_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.model.stream import Stream

CHUNKS: Final = "inter-chunk"
ADJUSTED: Final = {TTFT: "ttft adjusted", ITL: "itl adjusted", E2E: "e2e adjusted"}
_OUTPUT: Final[frozenset[str]] = frozenset({"content", "tool"})


class AiPerf(Tool):
    """`aiperf/metrics/types/`, one metric a file; `metrics/derived_latency.py` for the adjusted ones."""

    title = "AIPerf 0.13"
    says: ClassVar[Mapping[str, str]] = {
        TTFT: "sent -> first response with content of any kind",
        VISIBLE: "sent -> first response with content that is no reasoning (TTFO)",
        TPOT: "the same as its itl",
        ITL: "(e2e - ttft) / (tokens - 1), a request each",
        CHUNKS: "from each response with content to the next, all requests pooled (ICL)",
        E2E: "sent -> last response with content",
        REQUESTS: "valid requests / (first sent -> last content)",
        TOKENS: "their output tokens / (first sent -> last content)",
        GOODPUT: "valid requests within ttft, itl and e2e, out of all; one without one of them is not good",
        ADJUSTED[TTFT]: "ttft with every failed request infinite",
        ADJUSTED[ITL]: "itl with every failed request infinite",
        ADJUSTED[E2E]: "e2e with every failed request infinite",
    }

    def sample(self, stream: Stream) -> Sample | None:
        """Valid with at least one response with content; an error inside the stream goes unseen."""
        if stream.sent is None:
            return None
        stamps = [piece.t for piece in of_kinds(stream, TOKEN_KINDS)]
        end = stream.sent if stream.ended is None else stream.ended
        if not stamps or not body_came(stream):
            inf = dict.fromkeys(ADJUSTED.values(), (math.inf,))
            return Sample(failed=True, start=stream.sent, end=end, times=inf)
        times = _times(stream, stream.sent, stamps)
        return Sample(
            start=stream.sent,
            end=stamps[-1],
            times={**times, **{name: times[base] for base, name in ADJUSTED.items() if base in times}},
            tokens=output_tokens(stream),
            prompt=stream.prompt_tokens or 0,
        )

    def seconds(self, samples: Sequence[Sample]) -> float | None:
        """Of valid requests alone."""
        return window(one for one in samples if not one.failed)

    def goodput(self, samples: Sequence[Sample], bounds: Bounds) -> Goodput | None:
        """Failed requests are in what it is a share of, not in the window."""
        if bounds.ttft is None and bounds.tpot is None and bounds.e2e is None:
            return None
        good = sum(not one.failed and _good(one, bounds) for one in samples)
        return Goodput(good=good, of=len(samples), per_second=over(good, self.seconds(samples)))


def _times(stream: Stream, sent: float, stamps: Sequence[float]) -> dict[str, tuple[float, ...]]:
    whole = stamps[-1] - sent
    if plain(stream):
        return row(E2E, whole)
    first, tokens = stamps[0] - sent, output_tokens(stream)
    shown = of_kinds(stream, _OUTPUT)
    apart = (whole - first) / (tokens - 1) if tokens > 1 else None
    return {
        **row(TTFT, first),
        **row(VISIBLE, shown[0].t - sent if shown else None),
        **row(TPOT, apart),
        **row(ITL, apart),
        **row(CHUNKS, *(later - earlier for earlier, later in pairwise(stamps))),
        **row(E2E, whole),
    }


def _good(one: Sample, bounds: Bounds) -> bool:
    return (
        kept(one.one(TTFT), bounds.ttft, missing=False)
        and kept(one.one(ITL), bounds.tpot, missing=False)
        and kept(one.one(E2E), bounds.e2e, missing=False)
    )


TOOL = AiPerf()
