"""What the alerts of an SLO can do before they are deployed: can they fire, when, and how often for nothing?

Tiers and their meaning: Google, "The Site Reliability Workbook", chapter 5, "Alerting on SLOs"; what fires is what
docs/decisions/007-rules-from-counts.md says. Arithmetic: `feasible_detect` and `feasible_false`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from holdfast.model.slo import DAY, Severity, Slo, Tier, Timeslices
from holdfast.slo import counts
from holdfast.slo.feasible.detect import Watch, reset, steady_wait, wait
from holdfast.slo.feasible.false_alerts import false_alerts
from holdfast.slo.tiers import is_dead, threshold, tiers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

BURNS: Final = (1.0, 0.5, 0.1)
"""Error ratios for which a plan says when they are noticed."""
MONTH: Final = 30 * DAY
HALF: Final = 0.5
"""The share of its budget that a healthy service is taken to need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One burn and one tier: seconds from the first error to the alert, and from the last to its end.

    `spent` is the share of the period's budget that is gone when it fires. All are None where it never fires.
    """

    errors: float
    mean: float | None = None
    late: float | None = None
    reset: float | None = None
    spent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierPlan:
    """One tier: the error ratio beyond which it fires, the least number of bad events that make it fire.

    `false_alerts` are those of a healthy service in 30 days. What the traffic decides is None where it is not known.
    """

    tier: Tier
    threshold: float
    reachable: bool
    needed: int | None
    detections: tuple[Detection, ...]
    false_alerts: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPlan:
    """One alert: it fires when one of its tiers does, so it is as quick as the quicker one."""

    severity: Severity
    tiers: tuple[TierPlan, ...]
    false_alerts: float | None

    @property
    def reachable(self) -> bool:
        """Whether anything can make it fire."""
        return any(one.reachable for one in self.tiers)

    def first(self, errors: float) -> tuple[TierPlan, Detection] | None:
        """The tier that notices a burn first; None when none does."""
        found = [(one.mean, tier, one) for tier in self.tiers for one in tier.detections if one.errors == errors]
        seen = [(mean, tier, one) for mean, tier, one in found if mean is not None]
        best = min(seen, key=lambda each: each[0], default=None)
        return (best[1], best[2]) if best else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SloPlan:
    """One SLO at one traffic: `rate` is events a second, None where it is not known."""

    slo: Slo
    rate: float | None
    alerts: tuple[AlertPlan, ...]

    @property
    def events(self) -> float | None:
        """Events in a period."""
        return None if self.rate is None else self.rate * self.slo.period

    @property
    def allowed(self) -> float | None:
        """Bad events in a period that the budget allows."""
        return None if self.events is None else self.events * self.slo.budget

    @property
    def feasible(self) -> bool:
        """Whether its page alert can fire, where it has one."""
        return all(one.reachable for one in self.alerts if one.severity == "page")


def plan(slo: Slo, rate: float | None, *, every: float = 60.0, healthy: float = HALF) -> SloPlan:
    """What the alerts of an SLO can do at `rate` events a second, in rules evaluated every `every` seconds.

    `healthy` is the share of its budget that a healthy service needs. Raises ValueError for a period without tiers, and
    for a rate that is not above zero.
    """
    if rate is not None and not rate > 0:
        raise ValueError("without traffic there is nothing to plan")
    known = rate if counts.counts_events(slo) else None
    severities = [one for one in get_args(Severity) if not slo.policy(one).disabled]
    return SloPlan(
        slo=slo, rate=known, alerts=tuple(_alert(slo, severity, known, every, healthy) for severity in severities)
    )


def watch_of(slo: Slo, tier: Tier, *, every: float = 60.0) -> Watch:
    """A tier as the native rules evaluate it."""
    return Watch(
        short=tier.short,
        long=tier.long,
        threshold=threshold(tier, slo),
        least_bad=slo.least_bad if counts.counts_events(slo) else 1,
        record=counts.window_of(slo),
        every=min(every, counts.window_of(slo)),
    )


def _alert(slo: Slo, severity: Severity, rate: float | None, every: float, healthy: float) -> AlertPlan:
    tiers = [one for one in tiers_of(slo.period) if one.severity == severity]
    watches = [watch_of(slo, one, every=every) for one in tiers if not is_dead(one, slo)]
    return AlertPlan(
        severity=severity,
        tiers=tuple(_tier(slo, one, rate, every, healthy) for one in tiers),
        false_alerts=_false(slo, watches, rate, healthy),
    )


def _false(slo: Slo, watches: Sequence[Watch], rate: float | None, healthy: float) -> float | None:
    return None if rate is None else false_alerts(watches, rate, healthy * slo.budget) * MONTH


def _tier(slo: Slo, tier: Tier, rate: float | None, every: float, healthy: float) -> TierPlan:
    watch, dead = watch_of(slo, tier, every=every), is_dead(tier, slo)
    return TierPlan(
        tier=tier,
        threshold=watch.threshold,
        reachable=not dead,
        needed=None if rate is None or dead else watch.needed(rate),
        detections=tuple(_detection(slo, watch, rate, errors) for errors in BURNS),
        false_alerts=_false(slo, [] if dead else [watch], rate, healthy),
    )


def _detection(slo: Slo, watch: Watch, rate: float | None, errors: float) -> Detection:
    counted = _counted(slo, errors)
    by_chance = None if rate is None else wait(watch, rate, counted)
    mean = by_chance.mean if by_chance else steady_wait(watch, counted) if rate is None else None
    if mean is None:
        return Detection(errors=errors)
    return Detection(
        errors=errors,
        mean=mean,
        late=by_chance.late if by_chance else None,
        reset=reset(watch, counted),
        spent=counted * mean / (slo.budget * slo.period),
    )


def _counted(slo: Slo, errors: float) -> float:
    """What a burn counts as: a slice is bad as a whole, once too many of its events are."""
    if isinstance(slo.budgeting, Timeslices):
        return float(errors > 1 - slo.budgeting.target)
    return errors
