"""Calendar periods and exclusions as PromQL, which knows no local time: written out for a year from this quarter on.

Counted from the quarter's first day, so that committed rules change four times a year and not every day.

What comes after is safe: the last period goes on (no budget is given anew), and nothing more is excluded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from holdfast.model.slo import DAY, Calendar, Slo
from holdfast.slo.calendar import excluded, periods

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.slo.calendar import Span

PERIOD: Final = "slo_period"
AHEAD: Final = 460 * DAY
"""From the first day of the quarter: a year and more from any day in it."""


def needs_today(slo: Slo) -> bool:
    """Whether its rules hold only for some time to come."""
    return bool(slo.exclusions) or isinstance(slo.window, Calendar)


def longest(slo: Slo, today: datetime | None) -> float:
    """Seconds of the longest period that is written out; of a rolling window, its length."""
    if not isinstance(slo.window, Calendar):
        return slo.window.length
    return max(end - start for _, (start, end) in _ahead(slo.window, _unix(today)))


def exclusions(slo: Slo, today: datetime | None) -> str:
    """A scalar, 1 while events do not count and 0 else; empty text where the SLO has no exclusion left."""
    if not slo.exclusions:
        return ""
    spans = excluded_ahead(slo, today)
    lengths = {start: end - start for start, end in spans}
    terms = (_during(run, lengths[run.first]) for run in _runs([start for start, _ in spans], lengths))
    return " + ".join(terms)


def excluded_ahead(slo: Slo, today: datetime | None) -> tuple[Span, ...]:
    """The exclusions that are written out, in order."""
    now = _unix(today)
    return excluded(slo, now, now + AHEAD)


def period_label(slo: Slo, today: datetime | None) -> str:
    """A vector of one sample, 1, whose label is when the period began (Unix seconds); empty where the window rolls."""
    starts = starts_ahead(slo, today)
    if not starts:
        return ""
    # The last one goes on, whatever came before it at even times.
    runs = [*_runs(starts[:-1], {}), _Run(starts[-1], 0.0, 1)]
    ends = [later.first for later in runs[1:]]
    terms = [_began(run, end) for run, end in zip(runs, [*ends, None], strict=True)]
    return f'count_values("{PERIOD}", vector({" + ".join(terms)}))'


def starts_ahead(slo: Slo, today: datetime | None) -> tuple[float, ...]:
    """When each period begins that is written out, in order; none where the window rolls."""
    if not isinstance(slo.window, Calendar):
        return ()
    return tuple(start for _, (start, _) in _ahead(slo.window, _unix(today)))


@dataclass(frozen=True, slots=True)
class _Run:
    """Times that lie evenly, `step` seconds apart: many in one term, since each costs at every evaluation."""

    first: float
    step: float
    number: int


def _runs(starts: Sequence[float], kinds: Mapping[float, float]) -> list[_Run]:
    """Times in order as even runs; those of one run are of one kind."""
    runs: list[_Run] = []
    for start in starts:
        last = runs[-1] if runs else None
        if last and kinds.get(start) == kinds.get(last.first):
            step = (start - last.first) / last.number
            if last.number == 1 or step == last.step:
                runs[-1] = _Run(last.first, step, last.number + 1)
                continue
        runs.append(_Run(start, 0.0, 1))
    return runs


def _during(run: _Run, length: float) -> str:
    end = run.first + run.step * (run.number - 1) + length
    whole = f"(time() >= bool {run.first:.0f}) * (time() < bool {end:.0f})"
    return whole if run.number == 1 else f"{whole} * ((time() - {run.first:.0f}) % {run.step:.0f} < bool {length:.0f})"


def _began(run: _Run, end: float | None) -> str:
    begun = f"time() - (time() - {run.first:.0f}) % {run.step:.0f}" if run.number > 1 else f"{run.first:.0f}"
    until = f" * (time() < bool {end:.0f})" if end is not None else ""
    return f"(time() >= bool {run.first:.0f}){until} * ({begun})"


def _ahead(calendar: Calendar, now: float) -> tuple[tuple[str, Span], ...]:
    found = periods(calendar, now, now + AHEAD)
    if not found:
        raise ValueError("the calendar begins more than a year from now")
    return found


def _unix(today: datetime | None) -> float:
    if today is None:
        raise ValueError("rules of a calendar, or with exclusions, need to know the day they are written")
    return datetime(today.year, (today.month - 1) // 3 * 3 + 1, 1, tzinfo=UTC).timestamp()
