"""When a calendar's periods begin and end, and which times do not count: local clocks as Unix seconds."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrulestr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.model.slo import Calendar, Exclusion, Slo, Unit

_STEPS: Final[dict[Unit, relativedelta]] = {
    "day": relativedelta(days=1),
    "week": relativedelta(weeks=1),
    "month": relativedelta(months=1),
    "quarter": relativedelta(months=3),
    "year": relativedelta(years=1),
}
_MONTH: Final = "%Y-%m"
_NAMES: Final[dict[Unit, str]] = {"month": _MONTH, "quarter": _MONTH, "year": "%Y"}
_MOST: Final = 5000

Span = tuple[float, float]
"""From, and up to but not including: Unix seconds."""


def periods(calendar: Calendar, since: float, until: float) -> tuple[tuple[str, Span], ...]:
    """The periods that touch a time span, each with a name such as 2026-11, by the day it begins.

    A period begins at the local time of the first one, so that one with a clock change in it is an hour longer or
    shorter. Nothing comes before the calendar's start.
    """
    starts = takewhile(lambda start: _unix(start, calendar.zone) < until, _starts(calendar))
    named = [(start.strftime(_NAMES.get(calendar.unit, "%Y-%m-%d")), _unix(start, calendar.zone)) for start in starts]
    if not named:
        return ()
    after = _unix(_nth(calendar, len(named)), calendar.zone)
    spans = pairwise([*(start for _, start in named), after])
    return tuple((name, span) for (name, _), span in zip(named, spans, strict=True) if span[1] > since)


def excluded(slo: Slo, since: float, until: float) -> tuple[Span, ...]:
    """The times between `since` and `until` whose events do not count: in order, none touching another."""
    spans = sorted(span for one in slo.exclusions for span in _occurrences(one, since, until))
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _occurrences(one: Exclusion, since: float, until: float) -> Iterator[Span]:
    """Expanded on the wall clock and only then placed in time, as RFC 5545 says: 02:00 stays 02:00 in summer."""
    first = one.start.replace(tzinfo=None)
    if one.repeat:
        margin = timedelta(seconds=one.length, days=1)
        low, high = (datetime.fromtimestamp(at, ZoneInfo(one.zone)).replace(tzinfo=None) for at in (since, until))
        wall = rrulestr(one.repeat, dtstart=first).between(low - margin, high + margin, inc=True)
    else:
        wall = [first]
    for at in wall[:_MOST]:
        start = _unix(at, one.zone)
        if start < until and start + one.length > since:
            yield start, start + one.length


def _starts(calendar: Calendar) -> Iterator[datetime]:
    return (_nth(calendar, number) for number in range(_MOST))


def _nth(calendar: Calendar, number: int) -> datetime:
    """Counted from the first, so that a month begun on the 31st is not one on the 28th ever after."""
    first: datetime = calendar.start.replace(tzinfo=None)
    return first + _STEPS[calendar.unit] * (number * calendar.count)


def _unix(wall: datetime, zone: str) -> float:
    return wall.replace(tzinfo=ZoneInfo(zone)).timestamp()
