"""Sloth's `AlertWindows` catalogues: which share of the budget must burn, and within what, for a period of your own.

Format: Sloth, pkg/prometheus/alertwindows/v1. Sloth's own two catalogues, for 28 and 30 days, are `tiers.GOOGLE`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from holdfast.errors import SpecError
from holdfast.model.slo import DAY, Tier
from holdfast.slo.tiers import GOOGLE
from holdfast.spec import source as yaml
from holdfast.spec.shapes import FieldError, Strict, shaped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.errors import Location, Problem
    from holdfast.model.slo import Severity

KIND: Final = "AlertWindows"
_SECONDS: Final = {"y": 365 * DAY, "w": 7 * DAY, "d": DAY, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION: Final = re.compile("".join(rf"(?:(?P<{unit}>\d{{1,9}}){unit})?" for unit in _SECONDS), re.ASCII)
_WHOLE: Final = 100.0
_LONGEST: Final = 292 * 365 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The four tiers of a period in seconds, and where they were written."""

    period: float
    tiers: tuple[Tier, ...]
    where: Location | None = None


DEFAULTS: Final = tuple(Catalogue(period=days * DAY, tiers=GOOGLE) for days in (28, 30))
"""What Sloth knows without a catalogue of yours; one of yours replaces both."""


def prometheus_duration(text: str) -> float:
    """Seconds of a duration as Prometheus writes it: whole numbers, large units first. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if not text or not found:
        raise ValueError(f"expected a duration such as 5m, 1h30m or 7d, got {text!r}")
    seconds = sum(int(number) * _SECONDS[unit] for unit, number in found.groupdict().items() if number)
    if seconds > _LONGEST:
        raise ValueError(f"longer than Prometheus can count: {text}")
    return seconds


def _duration(value: object) -> float:
    if not isinstance(value, str):
        raise FieldError(f"expected a duration such as 5m, got {value!r}", "with its unit", code="slo/length")
    seconds = prometheus_duration(value)
    if seconds <= 0:
        raise FieldError("a window of no length", "5m", code="slo/length")
    return seconds


_Length = Annotated[
    float, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": r"^(\d+(ms|[smhdwy]))+$"})
]


class _Window(Strict):
    share: float = Field(alias="errorBudgetPercent")
    short: _Length = Field(alias="shortWindow")
    long: _Length = Field(alias="longWindow")

    @model_validator(mode="after")
    def _sane(self) -> _Window:
        if not 0 < self.share <= _WHOLE:
            hint = "2 alerts when 2 % of the budget burns within the long window"
            raise FieldError(
                f"a share of the budget lies between 0 and 100, got {self.share:g}", hint, code="slo/share"
            )
        if self.short >= self.long:
            hint = "Google takes a twelfth of the long one"
            raise FieldError("the short window must be shorter than the long one", hint, code="slo/window")
        return self

    def tier(self, severity: Severity, name: Literal["quick", "slow"]) -> Tier:
        share = round(self.share / _WHOLE, 12)
        return Tier(severity=severity, name=name, share=share, short=self.short, long=self.long)


class _Pair(Strict):
    quick: _Window
    slow: _Window


class _Spec(Strict):
    period: _Length = Field(alias="sloPeriod")
    page: _Pair
    ticket: _Pair

    @model_validator(mode="after")
    def _within(self) -> _Spec:
        longest = max(one.long for pair in (self.page, self.ticket) for one in (pair.quick, pair.slow))
        if longest > self.period:
            raise FieldError("a window is longer than the period", "shorten it", code="slo/window")
        return self


class Shape(Strict):
    """A whole catalogue file."""

    api_version: Literal["sloth.slok.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["AlertWindows"]
    metadata: dict[str, Any] | None = None
    spec: _Spec


def read_windows(text: str, file: str) -> tuple[Catalogue | None, list[Problem]]:
    """The catalogue of one file, and every problem with it. Raises SpecError when it is not one YAML document."""
    problems: list[Problem] = []
    source = yaml.read(text, file, problems)
    shape, wrong = shaped(Shape, source, family="slo")
    if shape is None:
        return None, problems + wrong
    spec = shape.spec
    tiers = (
        spec.page.quick.tier("page", "quick"),
        spec.page.slow.tier("page", "slow"),
        spec.ticket.quick.tier("ticket", "quick"),
        spec.ticket.slow.tier("ticket", "slow"),
    )
    return Catalogue(period=spec.period, tiers=tiers, where=source.location(())), problems + wrong


def catalogue(files: Iterable[tuple[str, str]]) -> dict[float, tuple[Tier, ...]]:
    """The tiers of each period from (text, file name) of a folder. Raises SpecError; two answers for one period too."""
    found: dict[float, Catalogue] = {}
    problems: list[Problem] = []
    for text, file in files:
        try:
            one, wrong = read_windows(text, file)
        except SpecError as error:
            problems += error.problems
            continue
        problems += wrong
        first = found.setdefault(one.period, one) if one else one
        if one and first and first.tiers != one.tiers:
            source = yaml.read(text, file, [])
            what = f"another file has other windows for this period: {first.where}"
            problems.append(source.problem(("spec", "sloPeriod"), what, code="slo/duplicate"))
    if problems:
        raise SpecError(tuple(problems))
    return {period: one.tiers for period, one in found.items()}
