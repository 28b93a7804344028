"""Recurrence rules (RFC 5545) of exclusions: one that never comes, or leaves nothing between, is a problem."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from typing import Final

from holdfast.spec.shapes import FieldError

_RULE: Final = re.compile(r"[A-Z]+=[A-Z0-9,+-]+(?:;[A-Z]+=[A-Z0-9,+-]+)*", re.ASCII)
_PARTS: Final = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"} | {
    "BYDAY",
    "BYSETPOS",
}
_OFTEN: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_HORIZON: Final = timedelta(days=5 * 366)
_LOOK: Final = 200
_COUNT: Final = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_UNTIL: Final = re.compile(r"\d{8}(?:T\d{6})?", re.ASCII)
_LAST_CYCLE: Final = range(9967, 9995)
_EXAMPLE: Final = "FREQ=WEEKLY;BYDAY=SU is every Sunday"


def check(rule: str, start: datetime, length: float) -> None:
    """Raise FieldError unless the rule comes again, at most daily, and leaves time between its `length` seconds."""
    parts = _parts(rule)
    times = _times(parts, rule, start)
    if not times:
        raise _error(f"{rule} never comes in the five years after {start:%Y-%m-%d}")
    shortest = min((later - earlier for earlier, later in pairwise(times)), default=None)
    if shortest is not None and shortest <= timedelta(seconds=length):
        raise _error(f"it comes again after {shortest}, before it is over: nothing would be left")


def _parts(rule: str) -> dict[str, str]:
    if not _RULE.fullmatch(rule):
        raise _error(f"not a recurrence rule: {rule!r}")
    pairs = [part.split("=") for part in rule.split(";")]
    parts = {pair[0]: pair[1] for pair in pairs}
    if len(parts) < len(pairs):
        raise _error(f"a part stands twice: {rule}")
    if parts.keys() - _PARTS:
        raise _error(f"not a part of an exclusion: {', '.join(sorted(parts.keys() - _PARTS))}")
    if parts.get("FREQ") not in _OFTEN:
        raise _error(f"FREQ must be one of {', '.join(_OFTEN)}")
    for name in ("INTERVAL", "COUNT"):
        if name in parts and not _COUNT.fullmatch(parts[name]):
            raise _error(f"{name} must be a number from 1 to 9999")
    if "COUNT" in parts and "UNTIL" in parts:
        raise _error("COUNT and UNTIL exclude each other")
    return parts


def _times(parts: dict[str, str], rule: str, start: datetime) -> list[datetime]:
    """Its first times within the horizon, moved to the last years there are.

    dateutil looks for the next time until the year 9999, which takes it most of a minute where there is none.
    """
    from dateutil.rrule import rrulestr  # noqa: PLC0415 - imported where it is needed

    late = _late(start)
    endless = ";".join(f"{name}={value}" for name, value in parts.items() if name not in ("COUNT", "UNTIL"))
    end = min(late + _HORIZON, _until(parts.get("UNTIL"), start) - start + late)
    try:
        rrulestr(rule, dtstart=start)
        return list(islice(takewhile(lambda time: time <= end, rrulestr(endless, dtstart=late)), _LOOK))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise _error(f"not a recurrence rule: {rule!r} ({error})") from None


def _until(text: str | None, start: datetime) -> datetime:
    if text is None:
        return start + _HORIZON
    if not _UNTIL.fullmatch(text):
        raise _error(f"UNTIL is a time by the clocks of the zone, such as 20271231T000000, not {text}")
    try:
        return min(datetime.fromisoformat(text), start + _HORIZON)
    except ValueError:
        raise _error(f"no such time: UNTIL={text}") from None


def _late(start: datetime) -> datetime:
    """The same day of a year with the same calendar, and the same leap years after it, as late as there is one."""
    first = date(start.year, 1, 1).weekday()
    year = next(year for year in _LAST_CYCLE if (year - start.year) % 4 == 0 and date(year, 1, 1).weekday() == first)
    return start.replace(year=year)


def _error(what: str) -> FieldError:
    return FieldError(what, _EXAMPLE, code="slo/repeat")
