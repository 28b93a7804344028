"""The kinds of OpenSLO v1 as they are written, strictly.

Format: OpenSLO, README (v1) and the checks of its go-sdk (pkg/openslo/v1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from holdfast.model.slo import DAY, Unit
from holdfast.slo.files.fields import Name
from holdfast.spec.shapes import FieldError, Strict

Op = Literal["lt", "lte", "gt", "gte"]
_DNS: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KEY: Final = re.compile(r"[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_SHORTHAND: Final = re.compile(r"(\d{1,6})([mhdwMQY])", re.ASCII)
_SECONDS: Final = {
    "m": 60.0,
    "h": 3600.0,
    "d": DAY,
    "w": 7 * DAY,
    "M": 30 * DAY,
    "Q": 90 * DAY,
    "Y": 365 * DAY,
}
_UNITS: Final[dict[str, Unit]] = {"d": "day", "w": "week", "M": "month", "Q": "quarter", "Y": "year"}


@dataclass(frozen=True, slots=True)
class Shorthand:
    """A length of time in one unit, as OpenSLO writes it: minutes, hours, days, weeks, Months, Quarters, Years."""

    count: int
    letter: str

    @property
    def seconds(self) -> float:
        """By the clock: a month is 30 days, a quarter 90, a year 365, as OpenSLO's own library counts."""
        return self.count * _SECONDS[self.letter]

    @property
    def unit(self) -> Unit | None:
        """The unit of a calendar, where there is one."""
        return _UNITS.get(self.letter)


def _shorthand(value: object) -> Shorthand:
    found = _SHORTHAND.fullmatch(value) if isinstance(value, str) else None
    if not found or not int(found[1]):
        hint = "a whole number and one of m h d w M Q Y"
        raise FieldError(f"expected a length such as 5m, 28d or 1M, got {value!r}", hint, code="slo/length")
    return Shorthand(int(found[1]), found[2])


def _slice(value: object) -> Shorthand:
    """A bare number is minutes."""
    return _shorthand(f"{value}m" if isinstance(value, int) and not isinstance(value, bool) else value)


def _dns(name: str) -> str:
    if not _DNS.fullmatch(name):
        hint = "up to 63 lower case letters and digits, with - between them"
        raise FieldError(f"OpenSLO takes no object named {name!r}", hint, code="slo/name")
    return name


def _key(name: str) -> str:
    if not _KEY.fullmatch(name):
        hint = "up to 63 letters and digits, with - _ . between them"
        raise FieldError(f"OpenSLO takes no label named {name!r}", hint, code="slo/label")
    return name


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


_PATTERN: Final = WithJsonSchema({"type": "string", "pattern": r"^\d+[mhdwMQY]$", "examples": ["28d"]})
Length = Annotated[Any, BeforeValidator(_shorthand), _PATTERN]
SliceLength = Annotated[Any, BeforeValidator(_slice), _PATTERN]
Dns = Annotated[str, AfterValidator(_dns)]
Described = Annotated[str, Field(max_length=1050)]
MetadataLabels = dict[Annotated[str, AfterValidator(_key)], Annotated[list[str], BeforeValidator(_listed)]]


class Metadata(Strict):
    """What every object has."""

    name: Dns
    display_name: Annotated[str, Field(max_length=63)] = Field(default="", alias="displayName")
    labels: MetadataLabels = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class MetricSource(Strict):
    """Where a number comes from; what stands in `spec` is its own business."""

    ref: Dns | None = Field(default=None, alias="metricSourceRef")
    type: str = ""
    spec: dict[str, Any]


class Metric(Strict):
    """One query."""

    source: MetricSource = Field(alias="metricSource")


class Ratio(Strict):
    """Good or bad events of all of them, or their share made elsewhere."""

    counter: bool | None = None
    good: Metric | None = None
    bad: Metric | None = None
    total: Metric | None = None
    raw_type: Literal["success", "failure"] | None = Field(default=None, alias="rawType")
    raw: Metric | None = None

    @model_validator(mode="after")
    def _one(self) -> Ratio:
        given = {name for name in ("good", "bad", "total", "raw", "raw_type") if getattr(self, name) is not None}
        if given not in ({"good", "total"}, {"bad", "total"}, {"raw", "raw_type"}):
            what = "a ratioMetric is good and total, bad and total, or raw and rawType"
            raise FieldError(what, "exactly one of the three", code="slo/sli")
        return self


class SliSpec(Strict):
    """How to tell good from bad."""

    description: Described = ""
    threshold: Metric | None = Field(default=None, alias="thresholdMetric")
    ratio: Ratio | None = Field(default=None, alias="ratioMetric")

    @model_validator(mode="after")
    def _one(self) -> SliSpec:
        if (self.threshold is None) == (self.ratio is None):
            raise FieldError("an SLI is a thresholdMetric or a ratioMetric", "exactly one", code="slo/sli")
        return self


class Indicator(Strict):
    """An SLI inside an SLO."""

    metadata: Metadata
    spec: SliSpec


class CalendarShape(Strict):
    """When periods start, and by whose clocks; read apart from its shape, for both need each other."""

    start: str = Field(alias="startTime")
    zone: str = Field(alias="timeZone")


class TimeWindow(Strict):
    """A window that rolls, or periods one after the other."""

    duration: Length
    rolling: bool = Field(default=False, alias="isRolling")
    calendar: CalendarShape | None = None

    @model_validator(mode="after")
    def _one(self) -> TimeWindow:
        if self.rolling == (self.calendar is not None):
            what = "a time window either rolls (isRolling: true) or has a calendar"
            raise FieldError(what, "exactly one", code="slo/contradiction")
        if self.calendar and self.duration.unit is None:
            raise FieldError("a calendar counts days or longer", "1d, 1w, 1M, 1Q or 1Y", code="slo/length")
        return self


class Objective(Strict):
    """How much has to be good."""

    display_name: str = Field(default="", alias="displayName")
    op: Op | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    target: float | None = None
    percent: float | None = Field(default=None, alias="targetPercent")
    slice_target: float | None = Field(default=None, alias="timeSliceTarget")
    slice_window: SliceLength | None = Field(default=None, alias="timeSliceWindow")
    indicator: Any = None
    indicator_ref: Any = Field(default=None, alias="indicatorRef")
    weight: Any = Field(default=None, alias="compositeWeight")


class Condition(Strict):
    """When an alert fires."""

    kind: Literal["burnrate"]
    op: Op
    threshold: Annotated[float, Field(allow_inf_nan=False)]
    lookback: Length = Field(alias="lookbackWindow")
    after: Annotated[Any, BeforeValidator(lambda value: None if value == "0m" else _shorthand(value)), _PATTERN] = (
        Field(default=None, alias="alertAfter")
    )


class ConditionSpec(Strict):
    """How bad it is."""

    severity: str
    condition: Condition
    description: Described = ""


class _Use(Strict):
    """An object written where it is used, or the name of one in the same file."""

    kind: str | None = None
    metadata: Metadata | None = None

    def _check(self, ref: object, spec: object, key: str) -> None:
        inline = (self.kind, self.metadata, spec)
        if any(one is not None for one in inline) if ref is not None else any(one is None for one in inline):
            raise FieldError(f"either {key}, or kind, metadata and spec", "exactly one", code="slo/reference")


class ConditionUse(_Use):
    """The condition of a policy."""

    kind: Literal["AlertCondition"] | None = None
    spec: ConditionSpec | None = None
    ref: Dns | None = Field(default=None, alias="conditionRef")

    @model_validator(mode="after")
    def _one(self) -> ConditionUse:
        self._check(self.ref, self.spec, "conditionRef")
        return self


class TargetSpec(Strict):
    """Whom an alert tells."""

    target: str
    description: Described = ""


class TargetUse(_Use):
    """Whom a policy tells."""

    kind: Literal["AlertNotificationTarget"] | None = None
    spec: TargetSpec | None = None
    ref: Dns | None = Field(default=None, alias="targetRef")

    @model_validator(mode="after")
    def _one(self) -> TargetUse:
        self._check(self.ref, self.spec, "targetRef")
        return self


class PolicySpec(Strict):
    """When to alert whom."""

    description: Described = ""
    no_data: bool = Field(default=False, alias="alertWhenNoData")
    resolved: bool = Field(default=False, alias="alertWhenResolved")
    breaching: bool = Field(default=False, alias="alertWhenBreaching")
    conditions: list[ConditionUse] = Field(min_length=1, max_length=1)
    targets: list[TargetUse] = Field(default_factory=list, alias="notificationTargets")


class PolicyUse(_Use):
    """An alert policy of an SLO."""

    kind: Literal["AlertPolicy"] | None = None
    spec: PolicySpec | None = None
    ref: Dns | None = Field(default=None, alias="alertPolicyRef")

    @model_validator(mode="after")
    def _one(self) -> PolicyUse:
        self._check(self.ref, self.spec, "alertPolicyRef")
        return self


class SloSpec(Strict):
    """The objectives of a service."""

    description: Described = ""
    service: Name
    indicator: Indicator | None = None
    indicator_ref: Dns | None = Field(default=None, alias="indicatorRef")
    budgeting: Literal["Occurrences", "Timeslices", "RatioTimeslices"] = Field(alias="budgetingMethod")
    windows: list[TimeWindow] = Field(default_factory=list, max_length=1, alias="timeWindow")
    objectives: list[Objective] = Field(min_length=1)
    policies: list[PolicyUse] = Field(default_factory=list, alias="alertPolicies")


class _ServiceSpec(Strict):
    description: Described = ""


class _SourceSpec(Strict):
    description: Described = ""
    type: str
    connection: Any = Field(alias="connectionDetails")


class _Object(Strict):
    api_version: Literal["openslo/v1"] = Field(alias="apiVersion")
    kind: str
    metadata: Metadata
    spec: Any


class SloObject(_Object):
    """Kind SLO."""

    spec: SloSpec


class SliObject(_Object):
    """Kind SLI."""

    spec: SliSpec


class PolicyObject(_Object):
    """Kind AlertPolicy."""

    spec: PolicySpec


class ConditionObject(_Object):
    """Kind AlertCondition."""

    spec: ConditionSpec


class TargetObject(_Object):
    """Kind AlertNotificationTarget."""

    spec: TargetSpec


class SourceObject(_Object):
    """Kind DataSource."""

    spec: _SourceSpec


class ServiceObject(_Object):
    """Kind Service."""

    spec: _ServiceSpec


KINDS: Final[dict[str, type[_Object]]] = {
    "SLO": SloObject,
    "SLI": SliObject,
    "AlertPolicy": PolicyObject,
    "AlertCondition": ConditionObject,
    "AlertNotificationTarget": TargetObject,
    "DataSource": SourceObject,
    "Service": ServiceObject,
}
