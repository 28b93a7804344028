"""A service level objective: which events count, which of them are bad, and how many bad ones are allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from holdfast.errors import Location

DAY: Final = 86400.0

ClientSli = Literal["availability", "ttft", "e2e"]
"""What a client can witness of a request: its outcome, its time to first token, its whole duration."""

Severity = Literal["page", "ticket"]
Unit = Literal["day", "week", "month", "quarter", "year"]
_DAYS: Final[dict[Unit, float]] = {
    "day": 1,
    "week": 7,
    "month": 365.2425 / 12,
    "quarter": 365.2425 / 4,
    "year": 365.2425,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Bad events and all events: PromQL with `{{.window}}`, as a rate or an increase over it."""

    error_query: str
    total_query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRatio:
    """The share of bad events, made elsewhere: PromQL with `{{.window}}`. How many events there were is not known."""

    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A measured value that is good while it is less (`lt`, `lte`) or more (`gt`, `gte`) than a limit; PromQL."""

    query: str
    op: Literal["lt", "lte", "gt", "gte"]
    value: float


Indicator: TypeAlias = Events | ErrorRatio | Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """The last `length` seconds."""

    length: float = 30 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Whole periods of `count` units, one after the other from `start`, by the clocks of the IANA zone `zone`."""

    unit: Unit
    count: int = 1
    start: datetime
    zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """Every event weighs the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeslices:
    """Every slice of `length` seconds weighs the same; it is good when `target` of its events were (a share of one)."""

    length: float
    target: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioTimeslices:
    """Every slice of `length` seconds weighs the same, and counts as bad by the share of its events that were."""

    length: float


Budgeting: TypeAlias = Occurrences | Timeslices | RatioTimeslices


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A time whose events do not count: once from `start` for `length` seconds, or at every time the RRULE gives.

    `start` is a time by the clocks of `zone` (RFC 5545: so the rule keeps its hour when clocks change).
    """

    reason: str
    start: datetime
    length: float
    zone: str = "UTC"
    repeat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """One of an SLO's two alerts: page (someone gets up) or ticket (someone looks tomorrow)."""

    disabled: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Alert when `share` of the period's budget burns within `long` seconds, and still burns over the last `short`."""

    severity: Severity
    name: Literal["quick", "slow"]
    share: float
    short: float
    long: float

    def factor(self, period: float) -> float:
        """Burn rate at which it fires, for a period in seconds: share x period / long window."""
        return round(self.share * period / self.long, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """One objective of one service, and how a client witnesses the same thing.

    `bound` is the latency bound in seconds for the SLIs `ttft` and `e2e`, and None for `availability`. `dead_after` is
    after how many seconds without a sample a service counts as dead; None means: as long as its budget can bear.
    `least_bad` bad events are needed before an alert fires. `adapt` lets an alert tier that could never fire at this
    objective have a lower threshold. `loosened` says why the objective was lowered, for who compares it with the last.
    """

    service: str
    name: str
    objective: float
    indicator: Indicator
    sli: ClientSli | None
    bound: float | None = None
    description: str = ""
    window: Rolling | Calendar = Rolling()
    budgeting: Budgeting = Occurrences()
    exclusions: tuple[Exclusion, ...] = ()
    dead_after: float | None = None
    least_bad: int = 3
    adapt: bool = False
    loosened: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    alert: str = ""
    alert_labels: Mapping[str, str] = field(default_factory=dict)
    alert_annotations: Mapping[str, str] = field(default_factory=dict)
    page: AlertPolicy = AlertPolicy(disabled=True)
    ticket: AlertPolicy = AlertPolicy(disabled=True)
    where: Location

    @property
    def id(self) -> str:
        """The name scenarios use: service/name."""
        return f"{self.service}/{self.name}"

    @property
    def rule_id(self) -> str:
        """The name rules use, as Sloth's do: service-name."""
        return f"{self.service}-{self.name}"

    @property
    def budget(self) -> float:
        """Share of events that may be bad: 1 - objective, written so that 99.9 % gives 0.001 exactly."""
        return round(1 - self.objective, 12)

    @property
    def period(self) -> float:
        """Seconds of the window; of a calendar's, the mean."""
        if isinstance(self.window, Rolling):
            return self.window.length
        return self.window.count * _DAYS[self.window.unit] * DAY

    def policy(self, severity: Severity) -> AlertPolicy:
        """The alert of a severity."""
        return self.page if severity == "page" else self.ticket
