"""What Sloth and OpenSLO have no key for: an ignored mapping `x-holdfast:`, or annotations `holdfast.dev/...`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from holdfast.errors import SpecError
from holdfast.model.slo import (
    DAY,
    Calendar,
    Exclusion,
    Occurrences,
    RatioTimeslices,
    Rolling,
    Timeslices,
    Unit,
)
from holdfast.slo.files import recurrence
from holdfast.slo.files.fields import Filled
from holdfast.slo.files.times import Moment, Zone, check_exists
from holdfast.spec.shapes import Duration, FieldError, Ratio, Strict, shaped
from holdfast.spec.source import Source, Text, did_you_mean, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.errors import Problem
    from holdfast.model.slo import Budgeting
    from holdfast.spec.source import Path

KEY: Final = "x-holdfast"
PREFIX: Final = "holdfast.dev/"
_MINUTE: Final = 60.0
_SHORTEST_PERIOD: Final = 2 * DAY
_LONGEST: Final = 3 * 366 * DAY
_EVERY_MONTH: Final = 28
_LEAST_DEAD: Final = 10.0
_MOST_BAD: Final = 1_000_000


def whole_minutes(seconds: float, least: float, most: float, what: str) -> float:
    """Seconds that are whole minutes within bounds. Raises FieldError."""
    if not least <= seconds <= most or seconds % _MINUTE:
        hint = f"{what} is whole minutes, from {least / _MINUTE:g}m to {most / DAY:g}d"
        raise FieldError(f"{what} cannot last {seconds:g} seconds", hint, code="slo/length")
    return seconds


def whole_period(seconds: float) -> float:
    """A rolling window. Raises FieldError where burn-rate alerts would be too fast for it, or years too slow."""
    return whole_minutes(seconds, _SHORTEST_PERIOD, _LONGEST, "a period")


def whole_slice(seconds: float) -> float:
    """A slice of time. Raises FieldError."""
    return whole_minutes(seconds, _MINUTE, DAY, "a slice")


def _outage(seconds: float) -> float:
    return whole_minutes(seconds, _MINUTE, _LONGEST, "an exclusion")


def _dead(seconds: float) -> float:
    if not _LEAST_DEAD <= seconds <= DAY:
        raise FieldError("dead-after lies between 10s and 1d", "5m is one missed look of Prometheus", code="slo/length")
    return seconds


def _least(events: int) -> int:
    if not 1 <= events <= _MOST_BAD:
        raise FieldError(
            "least-bad lies between 1 and a million", "1 lets a single failure alert", code="slo/least-bad"
        )
    return events


def _share(target: float) -> float:
    if target <= 0:
        raise FieldError("a slice of which nothing need be good is always good", "95%", code="slo/budgeting")
    return target


class _Calendar(Strict):
    unit: Unit
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    start: Moment
    zone: Zone

    @model_validator(mode="after")
    def _sane(self) -> _Calendar:
        check_calendar(self.unit, self.start, self.zone)
        return self


def check_calendar(unit: Unit, start: Any, zone: str) -> None:
    """Raise FieldError for periods that do not start in every month, or at an hour that there is not."""
    if unit in ("month", "quarter", "year") and start.day > _EVERY_MONTH:
        what = f"not every {unit} has a day {start.day} to start at"
        raise FieldError(what, "start on the 28th or before", code="slo/calendar")
    check_exists(start, zone)


class _Budgeting(Strict):
    timeslices: Annotated[Duration, AfterValidator(whole_slice)] | None = None
    target: Annotated[Ratio, AfterValidator(_share)] | None = None
    ratio_timeslices: Annotated[Duration, AfterValidator(whole_slice)] | None = Field(
        default=None, alias="ratio-timeslices"
    )

    @model_validator(mode="after")
    def _one(self) -> _Budgeting:
        if (self.timeslices is None) == (self.ratio_timeslices is None) and self.model_fields_set:
            raise FieldError("either timeslices or ratio-timeslices", "timeslices: 1m", code="slo/budgeting")
        if (self.timeslices is None) != (self.target is None):
            what, hint = "timeslices and target belong together", "{timeslices: 1m, target: 95%}"
            raise FieldError(what, hint, code="slo/budgeting")
        return self

    def read(self) -> Budgeting:
        if self.timeslices is not None and self.target is not None:
            return Timeslices(length=self.timeslices, target=self.target)
        return Occurrences() if self.ratio_timeslices is None else RatioTimeslices(length=self.ratio_timeslices)


def _way(value: object) -> object:
    if value == "occurrences":
        return {}
    if not isinstance(value, dict) or not value:
        hint = "occurrences, {timeslices: 1m, target: 95%} or {ratio-timeslices: 1m}"
        raise FieldError("no such way of budgeting", hint, code="slo/budgeting")
    return value


class _Exclusion(Strict):
    reason: Filled
    start: Moment
    length: Annotated[Duration, AfterValidator(_outage)] = Field(alias="for")
    zone: Zone
    repeat: str = ""

    @model_validator(mode="after")
    def _sane(self) -> _Exclusion:
        check_exists(self.start, self.zone)
        if self.repeat:
            recurrence.check(self.repeat, self.start, self.length)
        return self

    def read(self) -> Exclusion:
        return Exclusion(reason=self.reason, start=self.start, length=self.length, zone=self.zone, repeat=self.repeat)


class Extension(Strict):
    """Settings of an SLO beyond its own format; what is not set is left to the format, the file, or the default."""

    period: Annotated[Duration, AfterValidator(whole_period)] | None = None
    calendar: _Calendar | None = None
    budgeting: Annotated[_Budgeting, BeforeValidator(_way)] | None = None
    dead_after: Annotated[Duration, AfterValidator(_dead)] | None = Field(default=None, alias="dead-after")
    least_bad: Annotated[int, AfterValidator(_least)] | None = Field(default=None, alias="least-bad")
    tiers: Literal["strict", "adapt"] | None = None
    exclude: list[_Exclusion] | None = None
    loosened: Filled | None = None

    @model_validator(mode="after")
    def _one_window(self) -> Extension:
        if self.period is not None and self.calendar is not None:
            hint = "a period rolls, a calendar does not; take one"
            raise FieldError("period and calendar exclude each other", hint, code="slo/contradiction")
        return self

    def fields(self) -> dict[str, Any]:
        """What is set, as fields of `Slo`."""
        found: dict[str, Any] = {}
        if self.period is not None:
            found["window"] = Rolling(length=self.period)
        if self.calendar is not None:
            shape = self.calendar
            found["window"] = Calendar(unit=shape.unit, count=shape.count, start=shape.start, zone=shape.zone)
        if self.budgeting is not None:
            found["budgeting"] = self.budgeting.read()
        if self.tiers is not None:
            found["adapt"] = self.tiers == "adapt"
        if self.exclude is not None:
            found["exclusions"] = tuple(one.read() for one in self.exclude)
        plain = {"dead_after": self.dead_after, "least_bad": self.least_bad, "loosened": self.loosened}
        return found | {name: value for name, value in plain.items() if value is not None}


def annotated(annotations: Mapping[str, str], source: Source, path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Fields of `Slo` from annotations `holdfast.dev/KEY`, whose values are YAML; problems stand at the annotation."""
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    known = {field.alias or name for name, field in Extension.model_fields.items()}
    for name, text in annotations.items():
        if not name.startswith(PREFIX):
            continue
        key, here = name.removeprefix(PREFIX), (*path, name)
        if key not in known:
            hint = did_you_mean(key, known)
            problems.append(
                source.problem(here, f"unknown annotation {name!r}", hint=hint, key=True, code="slo/unknown-key")
            )
            continue
        fields, wrong = _annotation(key, text)
        problems += [source.problem(here, one.what, hint=one.hint, code=one.code) for one in wrong]
        if fields.keys() & found.keys():
            problems.append(source.problem(here, "period and calendar exclude each other", code="slo/contradiction"))
        found |= fields
    return found, problems


def _annotation(key: str, text: str) -> tuple[dict[str, Any], list[Problem]]:
    try:
        inner = read(text, "")
    except SpecError as error:
        return {}, list(error.problems)
    shape, wrong = shaped(Extension, Source("", Text(text), tree={key: inner.tree}), family="slo")
    return (shape.fields() if shape else {}), wrong
