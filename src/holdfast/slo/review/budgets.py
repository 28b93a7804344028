"""What became of an SLO's error budget in a month, from counts of events: how much is spent, by whom, what is left.

The month's budget is a share of the month's events, each of the same weight. Minutes of which nothing is known are
stated and are never good: the answer is what holds whether all of them were good or all of them bad.

An event belongs to one cause: the first chaos run that was going on, else the first incident, else to none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from holdfast.model.verdict import State
from holdfast.slo.review.forecast import forecast
from holdfast.slo.review.model import TINY, Asked, Cause, Cells, DayPart, Mask, Numbers, Part, SloReview

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.slo.review.month import Day, Month

__all__ = ["Cause", "order", "review"]

_EVERY: Final = 12
"""Cells between two points of the curve."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Counts:
    """Cells with zeros where nothing is known, which cells those are, and how many bad events the month may have."""

    cells: Cells
    total: Numbers
    bad: Numbers
    known: Mask
    before: Mask
    allowed: float

    def minutes(self, which: Mask) -> float:
        return float(which.sum()) * self.cells.step / 60

    def share(self, bad: float) -> float:
        return _share(bad, self.allowed)


def review(asked: Asked, cells: Cells, month: Month, causes: Sequence[Cause] = (), *, seed: int = 0) -> SloReview:
    """One SLO's month from its counts, up to the end of the last cell; `seed` is the forecast's."""
    known, before = cells.known, _not_yet(cells)
    total, bad = (float(np.where(known, one, 0.0).sum()) for one in (cells.total, cells.bad))
    seconds = float(known.sum()) * cells.step
    missing = float((~known & ~before).sum()) * cells.step
    rate = total / seconds if seconds else 0.0
    whole = total + rate * max(0.0, month.end - cells.end)
    most = asked.budget * (whole + rate * missing)
    low, high = _share(bad, most), _share(bad + rate * missing, most)
    counts = _Counts(
        cells=cells,
        total=np.where(known, cells.total, 0.0),
        bad=np.where(known, cells.bad, 0.0),
        known=known,
        before=before,
        allowed=asked.budget * whole,
    )
    days = tuple(_day(day, counts) for day in month.days if day.start < cells.end)
    spent = counts.share(bad)
    return SloReview(
        asked=asked,
        state=_state(low, high, total),
        total=total,
        bad=bad,
        allowed=counts.allowed,
        spent=spent,
        low=low,
        high=high,
        seen=seconds / 60,
        missing=missing / 60,
        before=counts.minutes(before),
        days=days,
        parts=_parts(asked.slo, counts, causes),
        curve=_curve(counts),
        gone=_gone(counts),
        forecast=forecast(_whole(days, month, cells.end), spent, _coming(month, cells.end), seed=seed),
    )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _state(low: float, high: float, total: float) -> State:
    """A month without an event proves nothing; neither does one whose unseen minutes could decide it."""
    if total <= 0 or not (np.isfinite(low) and np.isfinite(high)):
        return State.UNKNOWN
    return State.FAIL if low >= 1 else State.PASS if high < 1 else State.UNKNOWN


def _not_yet(cells: Cells) -> Mask:
    """Cells before the SLO's first number, as far as the source was alive and had none: it was not recorded yet."""
    some = np.isfinite(cells.total) | np.isfinite(cells.bad)
    silent = (np.cumsum(some) == 0) & cells.alive
    last = np.flatnonzero(silent)
    return np.arange(len(some)) <= last[-1] if some.any() and len(last) else np.zeros(len(some), dtype=bool)


def _day(day: Day, counts: _Counts) -> DayPart:
    starts = counts.cells.starts
    inside = (starts >= day.start) & (starts < day.end)
    bad = float(counts.bad[inside].sum())
    return DayPart(
        name=day.name,
        total=float(counts.total[inside].sum()),
        bad=bad,
        spent=counts.share(bad),
        seen=counts.minutes(inside & counts.known),
        missing=counts.minutes(inside & ~counts.known & ~counts.before),
    )


def _curve(counts: _Counts) -> tuple[tuple[float, float], ...]:
    cells = counts.cells
    ends = cells.starts + cells.step
    spent = np.cumsum(counts.bad) / counts.allowed if counts.allowed > 0 else np.full(len(ends), np.nan)
    first = int(counts.before.sum())
    kept = sorted({*range(first + _EVERY - 1, len(ends), _EVERY), len(ends) - 1})
    return ((cells.start + first * cells.step, 0.0), *((float(ends[place]), float(spent[place])) for place in kept))


def _gone(counts: _Counts) -> float | None:
    if counts.allowed <= 0:
        return None
    over = np.flatnonzero(np.cumsum(counts.bad) >= counts.allowed * (1 - TINY))
    return float(counts.cells.starts[over[0]] + counts.cells.step) if len(over) else None


_WHOLE: Final = 0.9


def _whole(days: Sequence[DayPart], month: Month, until: float) -> list[float]:
    """What each day spent that is over and of which at least nine tenths were seen, made up to a whole one."""
    lengths = {day.name: (day.end - day.start) / 60 for day in month.days if day.end <= until}
    return [
        one.spent * lengths[one.name] / one.seen
        for one in days
        if one.name in lengths and one.seen >= _WHOLE * lengths[one.name] and np.isfinite(one.spent)
    ]


def _coming(month: Month, until: float) -> list[float]:
    """The ends of the days to come, today's included."""
    return [day.end for day in month.days if day.end > until]


def order(causes: Sequence[Cause]) -> list[Cause]:
    """Who is asked first: runs, then incidents, each by when they began."""
    return sorted(causes, key=lambda one: (one.kind != "run", one.start, one.name))


def _parts(slo: str, counts: _Counts, causes: Sequence[Cause]) -> tuple[Part, ...]:
    cells = counts.cells
    free = np.ones(len(counts.total), dtype=bool)
    parts: list[Part] = []
    for cause in order(causes):
        touched = (cells.starts < cause.end) & (cells.starts + cells.step > cause.start)
        if not touched.any() or (cause.slos and slo not in cause.slos):
            continue
        mine = touched & free
        free &= ~touched
        whole = _part(cause.kind, cause.name, counts, mine, taken=counts.minutes(touched & ~mine))
        parts += [whole, *_phases(slo, cause, whole, counts)]
    return (*parts, _part("rest", "no known cause", counts, free))


def _part(
    kind: Literal["run", "incident", "rest"], name: str, counts: _Counts, mine: Mask, *, taken: float = 0.0
) -> Part:
    bad = float(counts.bad[mine].sum())
    return Part(
        kind=kind,
        name=name,
        total=float(counts.total[mine].sum()),
        bad=bad,
        spent=counts.share(bad),
        minutes=counts.minutes(mine),
        taken=taken,
    )


def _phases(slo: str, cause: Cause, whole: Part, counts: _Counts) -> list[Part]:
    """A run's bad events parted among its phases: as its own record counted them, else by time.

    Phases are shorter than cells, so the counts alone cannot tell.
    """
    counted = [phase.bad.get(slo, 0.0) for phase in cause.phases]
    by_record = sum(counted) > 0
    lengths = [phase.end - phase.start for phase in cause.phases]
    weights = counted if by_record else lengths
    whole_weight, whole_length = sum(weights), sum(lengths)
    if whole_weight <= 0 or whole_length <= 0:
        return []
    return [
        Part(
            kind="phase",
            name=f"{cause.name}: {phase.name}",
            total=whole.total * length / whole_length,
            bad=whole.bad * weight / whole_weight,
            spent=counts.share(whole.bad * weight / whole_weight),
            minutes=length / 60,
            by="the run's own counts" if by_record else "time",
        )
        for phase, weight, length in zip(cause.phases, weights, lengths, strict=True)
    ]
