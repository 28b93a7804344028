"""Calendar periods and exclusions as PromQL, which knows no local time: written out for the next 13 months.

What comes after is safe: the last period goes on (no budget is given anew), and nothing more is excluded.
"""

from __future__ import annotations

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
    """A vector with one sample while events do not count; empty text where the SLO has no exclusion left."""
    if not slo.exclusions:
        return ""
    now = _unix(today)
    return " or ".join(f"vector(time()) >= {start:.0f} < {end:.0f}" for start, end in excluded(slo, now, now + AHEAD))


def period_label(slo: Slo, today: datetime | None) -> str:
    """A vector of one sample, 1, whose label names the period; empty text where the window rolls."""
    if not isinstance(slo.window, Calendar):
        return ""
    found = _ahead(slo.window, _unix(today))
    ends = [f" < {end:.0f}" for _, (_, end) in found[:-1]]
    terms = zip(found, [*ends, ""], strict=True)
    return " or ".join(
        f'label_replace(vector(1) and vector(time()) >= {start:.0f}{end}, "{PERIOD}", "{name}", "", "")'
        for (name, (start, _)), end in terms
    )


def _ahead(calendar: Calendar, now: float) -> tuple[tuple[str, Span], ...]:
    found = periods(calendar, now, now + AHEAD)
    if not found:
        raise ValueError("the calendar begins more than a year from now")
    return found


def _unix(today: datetime | None) -> float:
    if today is None:
        raise ValueError("rules of a calendar, or with exclusions, need to know the day they are written")
    return today.timestamp()
