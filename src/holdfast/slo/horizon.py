"""Calendar periods and exclusions as PromQL, which knows no local time: written out for the next 13 months.

What comes after is safe: the last period goes on (no budget is given anew), and nothing more is excluded.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from holdfast.model.slo import DAY, Calendar, Slo
from holdfast.slo.calendar import excluded, periods

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.slo.calendar import Span

PERIOD: Final = "slo_period"
AHEAD: Final = 400 * DAY


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
    now = _unix(today)
    times = excluded(slo, now, now + AHEAD)
    return " + ".join(f"(time() >= bool {start:.0f}) * (time() < bool {end:.0f})" for start, end in times)


def period_label(slo: Slo, today: datetime | None) -> str:
    """A vector of one sample, 1, whose label is when the period began (Unix seconds); empty where the window rolls."""
    if not isinstance(slo.window, Calendar):
        return ""
    starts = [start for _, (start, _) in _ahead(slo.window, _unix(today))]
    steps = [f" + {later - start:.0f} * (time() >= bool {later:.0f})" for start, later in pairwise(starts)]
    return f'count_values("{PERIOD}", vector({starts[0]:.0f}{"".join(steps)}))'


def _ahead(calendar: Calendar, now: float) -> tuple[tuple[str, Span], ...]:
    found = periods(calendar, now, now + AHEAD)
    if not found:
        raise ValueError("the calendar begins more than a year from now")
    return found


def _unix(today: datetime | None) -> float:
    if today is None:
        raise ValueError("rules of a calendar, or with exclusions, need to know the day they are written")
    return today.timestamp()
