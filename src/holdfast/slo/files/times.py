"""Times as SLO files write them: by the clocks of a place, never as an offset, for clocks change and offsets do not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from holdfast.spec.shapes import FieldError
from holdfast.spec.source import did_you_mean

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?", re.ASCII)
_ZONE: Final = re.compile(r"[A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*)*", re.ASCII)
_YEARS: Final = range(2000, 2091)
_EXAMPLE: Final = "2026-11-20T02:00"


def moment(value: object) -> datetime:
    """A time without a zone, from text. Raises FieldError."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        hint = "the zone stands beside it, as in zone: Europe/Berlin"
        raise FieldError(f"expected a time such as {_EXAMPLE}, got {value!r}", hint, code="slo/time")
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise FieldError(f"no such time: {value}", str(error), code="slo/time") from None
    if found.year not in _YEARS:
        raise FieldError(f"no SLO is as old or as far away as {value}", f"a year from {_YEARS[0]}", code="slo/time")
    return found


def zone_name(name: str) -> str:
    """A name of the IANA time zone database, as it is. Raises FieldError."""
    if not _known(name):
        hint = did_you_mean(name, available_timezones()) if name else "an IANA name such as Europe/Berlin"
        hint = "an IANA name such as Europe/Berlin" if hint.startswith("known:") else hint
        raise FieldError(f"no time zone is named {name!r}", hint, code="slo/zone")
    return name


@lru_cache(maxsize=1024)
def _known(name: str) -> bool:
    if not _ZONE.fullmatch(name) or name == "Factory":
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def exists(time: datetime, zone: str) -> bool:
    """Whether the clocks of a known zone ever show a time: they leave out an hour in spring."""
    place = ZoneInfo(zone)
    there = time.replace(tzinfo=place).astimezone(UTC).astimezone(place).replace(tzinfo=None)
    return there == time.replace(fold=0)


def check_exists(time: datetime, zone: str) -> None:
    """Raise FieldError for a time that the clocks of a known zone leave out."""
    if not exists(time, zone):
        what = f"clocks in {zone} never show {time:%Y-%m-%d %H:%M}"
        raise FieldError(what, "they are put forward at that time; take another", code="slo/time")


Moment = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema({"type": "string", "pattern": _TIME.pattern, "examples": [_EXAMPLE]}),
]
Zone = Annotated[str, AfterValidator(zone_name)]
