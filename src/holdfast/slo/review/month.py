"""A calendar month by the clocks of one place, in days: some have 23 or 25 hours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One local day, from `start` up to but not including `end`: Unix seconds."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One month in an IANA zone: its days, one after the other."""

    name: str
    zone: str
    days: tuple[Day, ...]

    @property
    def start(self) -> float:
        """Unix seconds of its first moment."""
        return self.days[0].start

    @property
    def end(self) -> float:
        """Unix seconds of the first moment after it."""
        return self.days[-1].end


def month_of(name: str, zone: str = "UTC") -> Month:
    """The month "2026-10" as clocks of `zone` have it. Raises ValueError when there is no such month or zone."""
    found = _MONTH.fullmatch(name)
    if not found or not 1 <= int(found[2]) <= 12:  # noqa: PLR2004 - as the format has it
        raise ValueError(f"expected a month such as 2026-10, got {name!r}")
    clocks = _clocks(zone)
    first = datetime(int(found[1]), int(found[2]), 1, tzinfo=clocks)
    dates = [first + timedelta(days=number) for number in range(32)]
    mine = [date for date in dates if date.month == first.month]
    edges = [date.timestamp() for date in dates[: len(mine) + 1]]
    days = (Day(name=f"{date:%Y-%m-%d}", start=start, end=end) for date, start, end in zip(mine, edges, edges[1:]))  # noqa: B905
    return Month(name=name, zone=zone, days=tuple(days))


def month_before(now: float, zone: str = "UTC") -> str:
    """The name of the last month that is over at `now`. Raises ValueError when there is no such zone."""
    this = datetime.fromtimestamp(now, _clocks(zone)).replace(day=1)
    return f"{this - timedelta(days=1):%Y-%m}"


def _clocks(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no such time zone: {zone!r}") from error
