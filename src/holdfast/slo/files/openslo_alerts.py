"""OpenSLO's alert policies as one of the two alerts: each condition has to be a tier that the rules have anyway.

The rules alert by several burn rates over two windows each, made for the period. A condition that asks for one of them
switches the alert of its severity on, both tiers; what asks for anything else is a problem.
"""

from __future__ import annotations

from dataclasses import replace
from math import isclose
from typing import TYPE_CHECKING, Final

from holdfast.model.slo import AlertPolicy
from holdfast.slo.tiers import tiers_of
from holdfast.units import show_duration

if TYPE_CHECKING:
    from holdfast.model.slo import Severity, Slo
    from holdfast.slo.files.openslo_place import Place
    from holdfast.slo.files.openslo_shapes import ConditionSpec, PolicySpec, PolicyUse

_SEVERITIES: Final[dict[str, Severity]] = {
    "page": "page",
    "critical": "page",
    "ticket": "ticket",
    "warning": "ticket",
}
_NEAR: Final = 0.05


def with_alerts(slo: Slo, uses: list[PolicyUse], place: Place) -> Slo:
    """The SLO with the alerts that its policies ask for; `place` is that of the list of policies."""
    for index, use in enumerate(uses):
        found = _policy(use, place.below(index))
        if found is None:
            continue
        policy, there = found
        severity = _severity(policy, there, slo)
        if severity is not None:
            alert = AlertPolicy(annotations=_told(policy))
            slo = replace(slo, page=alert) if severity == "page" else replace(slo, ticket=alert)
    return slo


def _policy(use: PolicyUse, place: Place) -> tuple[PolicySpec, Place] | None:
    if use.spec is not None:
        return use.spec, place.below("spec")
    assert use.ref is not None  # noqa: S101 - the shape allows nothing else
    found = place.below("alertPolicyRef").refer("AlertPolicy", use.ref)
    # A policy is only wrong for the SLO that uses it: what its conditions cannot be is told there, once a user.
    return (found[0], replace(found[1], problems=place.problems)) if found else None


def _severity(policy: PolicySpec, place: Place, slo: Slo) -> Severity | None:
    """Which alert a policy switches on."""
    if not policy.breaching:
        hint = "alertWhenBreaching: true; that there is no data is alerted anyway"
        place.tell("a policy that does not alert when breaching has no rule", hint, code="slo/alert")
        return None
    use, here = policy.conditions[0], place.below("conditions", 0)
    spec: ConditionSpec | None = use.spec
    if use.ref is not None:
        found = here.below("conditionRef").refer("AlertCondition", use.ref)
        if found is None:
            return None
        spec, here = found[0], replace(found[1], problems=place.problems)
    else:
        here = here.below("spec")
    assert spec is not None  # noqa: S101 - the shape allows nothing else
    return _condition(spec, here, slo)


def _condition(spec: ConditionSpec, place: Place, slo: Slo) -> Severity | None:
    severity, condition = _SEVERITIES.get(spec.severity), spec.condition
    if severity is None:
        what, hint = f"no alert has the severity {spec.severity!r}", f"one of {', '.join(_SEVERITIES)}"
        place.below("severity").tell(what, hint, code="slo/alert")
        return None
    here = place.below("condition")
    if condition.op in ("lt", "lte"):
        here.below("op").tell("an alert on burning too little", "op: gt or gte", code="slo/alert")
        return None
    if condition.after is not None:
        hint = "leave it out: each tier has a short window that does better"
        here.below("alertAfter").tell("alerts do not wait", hint, code="slo/alert")
        return None
    return severity if _is_tier(spec, here, slo, severity) else None


def _is_tier(spec: ConditionSpec, place: Place, slo: Slo, severity: Severity) -> bool:
    try:
        tiers = [tier for tier in tiers_of(slo.period) if tier.severity == severity]
    except ValueError as error:
        place.tell(str(error), code="slo/period")
        return False
    condition = spec.condition
    for tier in tiers:
        if condition.lookback.seconds == tier.long and isclose(
            condition.threshold, tier.factor(slo.period), rel_tol=_NEAR
        ):
            return True
    known = " or ".join(f"{tier.factor(slo.period):.3g} over {show_duration(tier.long)}" for tier in tiers)
    what = f"no {severity} alert fires at {condition.threshold:g} times the burn rate over this window"
    place.below("threshold").tell(what, f"threshold: {known}", code="slo/alert")
    return False


def _told(policy: PolicySpec) -> dict[str, str]:
    """Whom to tell: Alertmanager's business, so the names alone are passed on."""
    names = [use.ref or (use.metadata.name if use.metadata else "") for use in policy.targets]
    return {"notify": ", ".join(names)} if names else {}
