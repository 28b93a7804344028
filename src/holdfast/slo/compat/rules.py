"""Sloth's own rules of an SLO: error ratios over each window, what follows from them, two burn-rate alerts.

They are Sloth 0.16's to the byte, with the defects that docs/decisions/007-rules-from-counts.md lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from holdfast.slo.compat import go

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.model.slo import Tier

Rule = dict[str, Any]
WINDOW: Final = re.compile(r"{{ *\.window *}}")
"""What a query has instead of a window; Sloth's queries are Go templates, of which this is all that one needs."""
INFO: Final = "sloth_slo_info"
_WINDOW_LABEL: Final = "sloth_window"
_ERROR_RATIO: Final = "slo:sli_error:ratio_rate"
_BUDGET: Final = "slo:error_budget:ratio"
_PERIOD_BURN: Final = "slo:period_burn_rate:ratio"


@dataclass(frozen=True, kw_only=True)
class Windows:
    """A period in seconds and its four tiers: page quick and slow, ticket quick and slow."""

    period: float
    tiers: tuple[Tier, ...]

    @cached_property
    def lengths(self) -> list[float]:
        """Every window once, the shortest first, and the period at the end."""
        return [*sorted({length for tier in self.tiers for length in (tier.short, tier.long)}), self.period]

    @property
    def shortest(self) -> float:
        """The window that stands for "now"."""
        return self.tiers[0].short

    def factor(self, tier: Tier) -> float:
        """How many times as fast as it may the budget burns when the tier fires."""
        percent = round(tier.share * 100, 10)
        return percent * go.hours(self.period) / 100 / go.hours(tier.long)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Name, labels and annotations of one of an SLO's two alerts."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One SLO as Sloth understands it; `objective` in percent, and either two queries or one of their ratio."""

    service: str
    name: str
    objective: float
    error_query: str = ""
    total_query: str = ""
    ratio_query: str = ""
    windows: Windows
    labels: Mapping[str, str]
    page: Alert | None = None
    ticket: Alert | None = None
    about: Mapping[str, str]
    """Labels of the info metric: version, mode, spec."""

    @cached_property
    def id(self) -> str:
        """What the names of groups end with."""
        return f"{self.service}-{self.name}"

    @cached_property
    def ids(self) -> dict[str, str]:
        """The labels that name the SLO."""
        return {"sloth_id": self.id, "sloth_service": self.service, "sloth_slo": self.name}

    @cached_property
    def selector(self) -> str:
        """The same as a selector of series."""
        return f'{{sloth_id="{self.id}", sloth_service="{self.service}", sloth_slo="{self.name}"}}'


@dataclass(slots=True)
class Group:
    """Rules that are evaluated together, every `interval` seconds (0: as the server likes)."""

    rules: list[Rule] = field(default_factory=list)
    interval: float = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the steps of the chain work on."""

    sli: Group = field(default_factory=Group)
    meta: Group = field(default_factory=Group)
    alerts: Group = field(default_factory=Group)


def matchers(labels: Mapping[str, str]) -> str:
    """Labels as a selector, in the order of their names."""
    return "{" + ", ".join(f"{name}={go.quoted(labels[name])}" for name in sorted(labels)) + "}"


def rendered(template: str, window: float) -> str:
    """A query over a window."""
    return WINDOW.sub(go.duration(window), template)


def sli_rules(request: Request, *, optimized: bool = True) -> list[Rule]:
    """One error ratio a window; optimized, the period's is a mean of the shortest window's."""
    template = _ratio(request)
    last = mean_over_period(request) if optimized else template
    period = request.windows.period
    return [ratio_rule(request, last if window == period else template, window) for window in request.windows.lengths]


def ratio_rule(request: Request, template: str, window: float) -> Rule:
    """The error ratio over one window, from a template of the expression."""
    shown = go.duration(window)
    labels = {**request.ids, _WINDOW_LABEL: shown, **request.labels}
    return {"record": f"{_ERROR_RATIO}{shown}", "expr": WINDOW.sub(shown, template), "labels": labels}


def mean_over_period(request: Request) -> str:
    """The template of the period's error ratio as a mean of the shortest window's."""
    series = f"{_ERROR_RATIO}{go.duration(request.windows.shortest)}{request.selector}[{{{{.window}}}}]"
    return f"sum_over_time({series})\n/ ignoring ({_WINDOW_LABEL})\ncount_over_time({series})\n"


def _ratio(request: Request) -> str:
    if request.ratio_query:
        return f"({request.ratio_query})"
    return f"({request.error_query})\n/\n({request.total_query})\n"


def meta_rules(request: Request) -> list[Rule]:
    """Objective, budget, period, burn rates, what remains, and a metric that says where it all comes from."""
    chosen, windows = request.selector, request.windows
    labels = {**request.ids, **request.labels}
    about = {**request.about, "sloth_objective": go.plain(request.objective)}
    ratio = go.number(request.objective / 100)
    values = {
        "slo:objective:ratio": f"vector({ratio})",
        _BUDGET: f"vector(1-{ratio})",
        "slo:time_period:days": f"vector({go.number(go.hours(windows.period) / 24)})",
        "slo:current_burn_rate:ratio": _burn_rate(windows.shortest, chosen),
        _PERIOD_BURN: _burn_rate(windows.period, chosen),
        "slo:period_error_budget_remaining:ratio": f"1 - {_PERIOD_BURN}{chosen}",
    }
    # One mapping of labels for all of them, on purpose: what a later step takes from one rule, it takes from all.
    rules: list[Rule] = [{"record": name, "expr": expr, "labels": labels} for name, expr in values.items()]
    return [*rules, {"record": INFO, "expr": "vector(1)", "labels": {**labels, **about}}]


def _burn_rate(window: float, chosen: str) -> str:
    return (
        f"{_ERROR_RATIO}{go.duration(window)}{chosen}\n"
        f"/ on(sloth_id, sloth_slo, sloth_service) group_left\n{_BUDGET}{chosen}\n"
    )


def alert_rules(request: Request) -> list[Rule]:
    """Page and ticket, where they are wanted."""
    tiers = request.windows.tiers
    alerts = (("page", request.page, tiers[:2]), ("ticket", request.ticket, tiers[2:]))
    return [_alert(request, severity, alert, some) for severity, alert, some in alerts if alert]


def _alert(request: Request, severity: str, alert: Alert, tiers: Sequence[Tier]) -> Rule:
    who = "{{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is"
    texts = {"title": f"({severity}) {who} too fast.", "summary": f"{who} over expected."}
    return {
        "alert": alert.name,
        "expr": "or\n".join(_tier(request, tier) for tier in tiers),
        "labels": {"sloth_severity": severity, **alert.labels},
        "annotations": {**texts, **alert.annotations},
    }


def _tier(request: Request, tier: Tier) -> str:
    limit = f"({go.number(request.windows.factor(tier))} * {go.number((100 - request.objective) / 100)})"
    short, long = (
        f"    max({_ERROR_RATIO}{go.duration(length)}{request.selector} > {limit}) without ({_WINDOW_LABEL})\n"
        for length in (tier.short, tier.long)
    )
    return f"(\n{short}    and\n{long})\n"
