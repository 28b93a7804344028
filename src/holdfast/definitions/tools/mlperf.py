"""MLPerf LoadGen, scenario Server: all times from when a query was scheduled, a percentile is a rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from holdfast.definitions.base import (
    E2E,
    REQUESTS,
    TOKENS,
    TPOT,
    TTFT,
    Rates,
    Sample,
    Tool,
    of_kinds,
    output_tokens,
    over,
    row,
)
from holdfast.definitions.spread import truncated
from holdfast.model.stream import TOKEN_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.definitions.spread import Values
    from holdfast.model.stream import Stream


class MlPerf(Tool):
    """`loadgen/logging.cc`, `loadgen/results.cc`. A query that never completes leaves no result there at all."""

    title = "MLPerf LoadGen (b66003e)"
    says: ClassVar[Mapping[str, str]] = {
        TTFT: "scheduled -> first token",
        TPOT: "(e2e - ttft) / (tokens - 1), a query each; one token is an error",
        E2E: "scheduled -> the query is complete",
        REQUESTS: "(completed queries - 1) / (first scheduled -> the last scheduled one is done)",
        TOKENS: "tokens / (first scheduled -> the last scheduled one is done)",
    }

    def sample(self, stream: Stream) -> Sample:
        """What failed is left out here; LoadGen would call the run invalid."""
        end = stream.due if stream.ended is None else stream.ended
        if stream.outcome != "ok":
            return Sample(failed=True, start=stream.due, end=end)
        stamps, tokens, whole = of_kinds(stream, TOKEN_KINDS), output_tokens(stream), end - stream.due
        first = stamps[0].t - stream.due if stamps else None
        apart = None if first is None or tokens <= 1 else (whole - first) / (tokens - 1)
        return Sample(
            start=stream.due,
            end=end,
            times={**row(TTFT, first), **row(TPOT, apart), **row(E2E, whole)},
            tokens=tokens,
            prompt=stream.prompt_tokens or 0,
        )

    def seconds(self, samples: Sequence[Sample]) -> float | None:
        """Until the query that was scheduled last is done, which need not be the last to be."""
        if not samples:
            return None
        seconds = max(samples, key=lambda one: one.start).end - min(one.start for one in samples)
        return seconds if seconds > 0 else None

    def rates(self, samples: Sequence[Sample]) -> Rates:
        """One query fewer than there were: intervals, not queries."""
        good, seconds = [one for one in samples if not one.failed], self.seconds(samples)
        return Rates(
            requests=over(max(len(good) - 1, 0), seconds), tokens=over(sum(one.tokens for one in good), seconds)
        )

    def quantile(self, values: Values, weights: Values, share: float) -> float:  # noqa: ARG002 - all weigh the same
        """No interpolation."""
        return truncated(values, share)


TOOL = MlPerf()
