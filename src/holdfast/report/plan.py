"""A plan in words: what will happen when, and what each expectation needs to be decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from holdfast.model.scenario import Forecast
    from holdfast.plan import Plan, PlannedPhase


def plan_text(plan: Plan) -> str:
    """Some lines of plain text that fit 100 columns."""
    head = f"{plan.title} ({plan.scenario}): {show_duration(plan.seconds)}, {plan.requests} requests"
    phases = [_phase(one) for one in plan.phases]
    forecasts = [line for one in plan.forecasts for line in _forecast(one)]
    warnings = [
        f"  cannot pass: {one.expectation} needs {one.needs} requests, gets {one.expects:g}" for one in plan.hopeless
    ]
    return "\n".join([head, "", *phases, "", "expectations", *forecasts, *warnings])


def _phase(one: PlannedPhase) -> str:
    phase = one.phase
    span = f"{phase.start:>6g}s to {phase.end:>5g}s"
    judged = "" if phase.judged else "  not judged"
    fault = f"  {one.experiment} (strikes: {', '.join(one.strikes) or 'see the experiment'})" if one.experiment else ""
    return f"  {phase.name:<10} {span}  {one.requests:>5} requests{judged}{fault}"


def _forecast(one: Forecast) -> list[str]:
    if not one.needs:
        return [f"  {one.expectation}: {one.note}"]
    allowed = f"passes with at most {one.most_bad} bad" if one.most_bad >= 0 else "cannot pass"
    first = f"  {one.expectation}: {one.expects:g} requests expected, {one.needs} clean ones needed; {allowed}"
    chances = ", ".join(f"{show_ratio(truth, 2)} bad: {chance:.0%}" for truth, chance in one.chances.items())
    return [first, f"      chance of PASS if truly {chances}"]
