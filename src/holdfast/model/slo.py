"""A service level objective: which events count, which of them are bad, and how many bad ones are allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.errors import Location

DAY = 86400.0

ClientSli = Literal["availability", "ttft", "e2e"]
"""What a client can witness of a request: its outcome, its time to first token, its whole duration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """One of an SLO's two alerts: page (someone gets up) or ticket (someone looks tomorrow)."""

    disabled: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """One objective of one service, as Sloth's `prometheus/v1` writes it, and how a client witnesses the same thing.

    `error_query` and `total_query` are PromQL with `{{.window}}`. `bound` is the latency bound in seconds for the
    SLIs `ttft` and `e2e`, and None for `availability`.
    """

    service: str
    name: str
    objective: float
    error_query: str
    total_query: str
    sli: ClientSli | None
    bound: float | None = None
    description: str = ""
    period: float = 30 * DAY
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
    def budget(self) -> float:
        """Share of events that may be bad: 1 - objective, written so that 99.9 % gives 0.001 exactly."""
        return round(1 - self.objective, 12)
