"""Ours: from when a request was due, failures infinite, one gap a read, and a stall inside an answer is not good."""

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
    kept,
    of_kinds,
    output_tokens,
    over,
    reads,
    row,
)
from holdfast.definitions.spread import kept_by
from holdfast.model.stream import TOKEN_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.definitions.spread import Values
    from holdfast.model.stream import Stream

FROM_SENT: Final = "ttft from sent"
E2E_FROM_SENT: Final = "e2e from sent"
LARGEST: Final = "largest gap"
PER_READ: Final = "tokens per read"
_VISIBLE: Final[frozenset[str]] = frozenset({"content", "tool"})


class Ours(Tool):
    """What a user of the service would say, the wait for the client included."""

    title = "Holdfast"
    says: ClassVar[Mapping[str, str]] = {
        TTFT: "due -> first token of any kind; a failed request is infinite",
        FROM_SENT: "sent -> first token of any kind; a failed request is infinite",
        VISIBLE: "due -> first token that is no reasoning",
        TPOT: "(last token - first read) / tokens after the first read, a request each",
        ITL: "from one read with tokens to the next; a stream that failed after its first token has one infinite gap",
        LARGEST: "the longest gap of a request between two reads with tokens",
        PER_READ: "tokens that one read brought",
        E2E: "due -> the exchange is over; a failed request is infinite",
        E2E_FROM_SENT: "sent -> the exchange is over; a failed request is infinite",
        REQUESTS: "answers that are whole / (first due -> last end)",
        TOKENS: "their tokens / (first due -> last end)",
        GOODPUT: "share of all requests due that are whole and keep every bound, the largest gap too",
    }

    def sample(self, stream: Stream) -> Sample:
        """Every request counts, also one that was never sent."""
        failed = stream.outcome != "ok"
        tokens = reads(of_kinds(stream, TOKEN_KINDS))
        shown = of_kinds(stream, _VISIBLE)
        end = stream.due if stream.ended is None else stream.ended
        sent = stream.due if stream.sent is None else stream.sent
        first = tokens[0][0] if tokens else None
        points: dict[str, float | None] = {
            TTFT: _since(stream.due, first),
            FROM_SENT: _since(sent, first),
            VISIBLE: _since(stream.due, shown[0].t if shown else None),
            TPOT: _per_token(tokens, output_tokens(stream)),
            LARGEST: max(_gaps(tokens), default=None),
            E2E: end - stream.due,
            E2E_FROM_SENT: end - sent,
        }
        times = dict.fromkeys(points, (math.inf,)) if failed else _rows(points)
        gaps = (*_gaps(tokens), *((math.inf,) if failed and tokens else ()))
        return Sample(
            failed=failed,
            start=stream.due,
            end=end,
            times={**times, **row(ITL, *gaps), **row(PER_READ, *(float(count) for _, count in tokens))},
            tokens=output_tokens(stream),
            prompt=stream.prompt_tokens or 0,
        )

    def goodput(self, samples: Sequence[Sample], bounds: Bounds) -> Goodput | None:
        """Out of every request due. A bound on what an answer does not have (the gap of one token) is kept."""
        if not bounds.asked():
            return None
        good = sum(not one.failed and _good(one, bounds) for one in samples)
        return Goodput(good=good, of=len(samples), per_second=over(good, self.seconds(samples)))

    def quantile(self, values: Values, weights: Values, share: float) -> float:  # noqa: ARG002 - all weigh the same
        """A value that was seen, or infinity: nothing is interpolated."""
        return kept_by(values, share)


def _since(start: float, stamp: float | None) -> float | None:
    return None if stamp is None else stamp - start


def _rows(points: Mapping[str, float | None]) -> dict[str, tuple[float, ...]]:
    return {name: (value,) for name, value in points.items() if value is not None}


def _gaps(tokens: Sequence[tuple[float, int]]) -> list[float]:
    return [later - earlier for (earlier, _), (later, _) in pairwise(tokens)]


def _per_token(tokens: Sequence[tuple[float, int]], count: int) -> float | None:
    """Seconds per token after the first read; None when nothing came after it."""
    if len(tokens) <= 1:
        return None
    after = count - tokens[0][1]
    return (tokens[-1][0] - tokens[0][0]) / after if after > 0 else None


def _good(one: Sample, bounds: Bounds) -> bool:
    return (
        # An answer without any token has no first one to be in time.
        kept(one.one(TTFT), bounds.ttft, missing=False)
        and kept(one.one(TPOT), bounds.tpot, missing=True)
        and kept(one.one(E2E), bounds.e2e, missing=False)
        and kept(one.one(LARGEST), bounds.gap, missing=True)
    )


TOOL = Ours()
