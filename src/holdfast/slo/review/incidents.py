"""Incidents that people wrote down: a YAML list of windows, so that a review can say what they cost."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from holdfast.errors import SpecError
from holdfast.slo.review.model import Cause
from holdfast.spec.shapes import FieldError, Strict, shaped
from holdfast.spec.source import did_you_mean, read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from holdfast.errors import Problem
    from holdfast.spec.source import Source


def _time(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise FieldError(f"not a time: {value!r}", "2026-10-03T14:00:00+02:00, or without an offset") from error
    return value


Time = Annotated[str, AfterValidator(_time)]


class _Incident(Strict):
    name: Annotated[str, Field(min_length=1)]
    start: Time
    end: Time
    slos: list[str] = Field(default_factory=list)


class _File(Strict):
    incidents: list[_Incident]


def read_incidents(text: str, file: str, zone: str, known: Collection[str]) -> tuple[Cause, ...]:
    """The incidents of a file; times without an offset are by the clocks of `zone`, `known` are the ids of all SLOs.

    Raises SpecError with every problem.
    """
    problems: list[Problem] = []
    source = read(text, file, problems)
    shape, wrong = shaped(_File, source)
    problems += wrong
    listed = list(shape.incidents) if shape else []
    problems += [found for index, one in enumerate(listed) for found in _problems(one, source, index, known, zone)]
    if problems:
        raise SpecError(tuple(problems))
    return tuple(_cause(one, zone) for one in listed)


def _problems(one: _Incident, source: Source, index: int, known: Collection[str], zone: str) -> Iterator[Problem]:
    here = ("incidents", index)
    if _unix(one.end, zone) <= _unix(one.start, zone):
        yield source.problem((*here, "end"), "an incident ends after it starts")
    for place, name in enumerate(one.slos):
        if name not in known:
            hint = did_you_mean(name, known)
            yield source.problem((*here, "slos", place), f"no such SLO: {name}", hint=hint)


def _cause(one: _Incident, zone: str) -> Cause:
    start, end = _unix(one.start, zone), _unix(one.end, zone)
    return Cause(kind="incident", name=one.name, start=start, end=end, slos=frozenset(one.slos))


def _unix(text: str, zone: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).timestamp()
