"""`slo plan`: what the alerts of SLO files can do at a traffic that is given or was seen, as values and as words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import Problem, SpecError, UsageError
from holdfast.model.slo import Events
from holdfast.objectives.lint import slos_of
from holdfast.slo import counts, promql
from holdfast.slo.feasible.plan import BURNS, SloPlan, plan
from holdfast.sources.server import Asking, UnansweredError
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from holdfast.model.slo import Slo
    from holdfast.slo.feasible.plan import AlertPlan, Detection, TierPlan

_HOUR: Final = 3600.0
_OVER: Final = "1d"
_ROUNDED: Final = ((48 * _HOUR, _HOUR), (600.0, 60.0), (0.0, 1.0))
HEAD: Final = ("alert", "beyond", "needs", *(f"at {show_ratio(one)}" for one in BURNS), "ends", "false in 30d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Events a second of every SLO: `given`, or what a server saw in the last day; unknown without either."""

    given: float | None = None
    asking: Asking | None = None

    def of(self, slo: Slo) -> float | None:
        """Events a second. Raises UnansweredError when the server does not know one number."""
        if self.asking is None or not isinstance(slo.indicator, Events):
            return self.given
        seen = self.asking.number(promql.counted(slo.indicator.total_query.strip(), _OVER))
        if seen is None or not seen > 0:
            hint = "give it yourself: --rate 12/h"
            raise UnansweredError(f"{self.asking.address} saw no traffic of {slo.id} in the last {_OVER}", hint=hint)
        return seen / 86400


def plans_of(files: Sequence[Path], traffic: Traffic, *, every: float) -> tuple[SloPlan, ...]:
    """The plan of every SLO in files; `every` is how often rules are evaluated, in seconds.

    Raises SpecError for a file that cannot be read, UsageError for a traffic of nothing, UnansweredError as `Traffic`.
    """
    if traffic.given is not None and traffic.given <= 0:
        raise UsageError("without traffic there is nothing to plan", hint="--rate 12/h")
    if not 0 < every <= counts.WINDOW:
        raise UsageError(f"rules are evaluated every {show_duration(every)}? A record holds 5m", hint="--every 1m")
    _, slos = slos_of(files)
    return tuple(_planned(slo, traffic, every) for slo in slos)


def _planned(slo: Slo, traffic: Traffic, every: float) -> SloPlan:
    try:
        return plan(slo, traffic.of(slo), every=every)
    except ValueError as error:
        raise SpecError((Problem(where=slo.where, what=f"{slo.id}: {error}"),)) from error


def text(one: SloPlan) -> str:
    """A plan for people: what is allowed, its tiers as a table, and what follows in a sentence for each alert.

    A time is the mean, and in brackets what 95 % of burns stay under.
    """
    lines = [HEAD, *(_row(alert, tier) for alert in one.alerts for tier in alert.tiers)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    said = [f"{_outage(alert)}." for alert in one.alerts]
    return "\n".join([_title(one), *(f"  {line}" for line in [*table, *said])]) + "\n"


def _title(one: SloPlan) -> str:
    said = f"{one.slo.id}: {show_ratio(one.slo.objective)} over {show_duration(round(one.slo.period))}"
    if one.rate is None or one.events is None or one.allowed is None:
        return f"{said}; how many events there are is not known, so they are taken to come evenly"
    return f"{said}, {one.rate * _HOUR:.6g} events/h: {one.allowed:.4g} of {one.events:.6g} may be bad"


def document(one: SloPlan) -> dict[str, Any]:
    """A plan for machines; times in seconds, ratios as shares of one, null where there is no answer."""
    return {
        "slo": one.slo.id,
        "objective": one.slo.objective,
        "period": one.slo.period,
        "rate": one.rate,
        "events": one.events,
        "allowed_bad_events": one.allowed,
        "feasible": one.feasible,
        "alerts": [
            {
                "severity": alert.severity,
                "reachable": alert.reachable,
                "false_alerts_30d": alert.false_alerts,
                "tiers": [_tier_document(tier) for tier in alert.tiers],
            }
            for alert in one.alerts
        ],
    }


def _tier_document(one: TierPlan) -> dict[str, Any]:
    return {
        "tier": one.tier.name,
        "short": one.tier.short,
        "long": one.tier.long,
        "threshold": one.threshold,
        "reachable": one.reachable,
        "least_bad_events": one.needed,
        "false_alerts_30d": one.false_alerts,
        "burns": [
            {"errors": at.errors, "mean": at.mean, "p95": at.late, "reset": at.reset, "budget_spent": at.spent}
            for at in one.detections
        ],
    }


def _row(alert: AlertPlan, one: TierPlan) -> tuple[str, ...]:
    windows = f"{alert.severity} {one.tier.name} {show_duration(one.tier.short)}/{show_duration(one.tier.long)}"
    if not one.reachable:
        return (windows, show_ratio(one.threshold, 3), "never fires", *([""] * (len(HEAD) - 3)))
    needed = "" if one.needed is None else f"{one.needed} bad"
    resets = [at.reset for at in one.detections if at.reset is not None]
    ends = _short(resets[0]) if resets else ""
    times = map(_time, one.detections)
    return (windows, show_ratio(one.threshold, 3), needed, *times, ends, _number(one.false_alerts))


def _time(one: Detection) -> str:
    if one.mean is None:
        return "never"
    return _short(one.mean) + (f" ({_short(one.late)})" if one.late is not None else "")


def _short(seconds: float) -> str:
    """A duration in as many digits as a person needs: 1h22m, 26m, 3m10s."""
    step = next(step for least, step in _ROUNDED if seconds >= least)
    return show_duration(round(seconds / step) * step)


def _number(count: float | None) -> str:
    if count is None:
        return "?"
    return f"{count:.2f}" if count >= 0.005 else "0"  # noqa: PLR2004 - for the eye


def _outage(alert: AlertPlan) -> str:
    """When a total outage is noticed, by whom, at what cost; and how much noise that costs."""
    if not alert.reachable:
        return f"the {alert.severity} alert can never fire: choose `tiers: adapt`, another objective, or disable it"
    found = alert.first(1.0)
    if found is None:
        return f"the {alert.severity} alert does not notice a total outage"
    tier, burn = found
    late = f", in 95 % of outages within {_short(burn.late)}" if burn.late is not None else ""
    spent = f"{show_ratio(burn.spent or 0.0, 2)} of the budget"
    noise = f"; {_number(alert.false_alerts)} false ones in 30 days" if alert.false_alerts is not None else ""
    said = f"a total outage raises the {alert.severity} ({tier.tier.name}) after {_short(burn.mean or 0.0)} and {spent}"
    return said + late + noise
