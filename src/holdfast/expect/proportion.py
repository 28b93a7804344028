"""A bad-event ratio against a limit: proved, disproved or undecided by exact bounds; shared by the kinds that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast import stats
from holdfast.model.scenario import Forecast
from holdfast.model.verdict import Evidence, State
from holdfast.units import show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from holdfast.model.scenario import Scenario


def prove(bad: int, total: int, limit: float, other: Mapping[str, float | int | str | None]) -> tuple[State, Evidence]:
    """PASS when the upper bound is within `limit`, FAIL when the lower bound is beyond it, else UNKNOWN."""
    low, high = stats.lower_bound(bad, total), stats.upper_bound(bad, total)
    evidence = Evidence(
        n=total,
        bad=bad,
        estimate=bad / total if total else None,
        low=low,
        high=high,
        limit=limit,
        unit="bad-event ratio",
        method="Clopper-Pearson, one-sided bounds",
        alpha=stats.ALPHA,
        more=stats.events_to_pass(bad, total, limit),
        other=other,
    )
    if total and high <= limit:
        return State.PASS, evidence
    return State.FAIL if total and low > limit else State.UNKNOWN, evidence


def sentence(state: State, seen: Evidence, about: str) -> str:
    """What was counted, what is allowed, and what follows; `about` names the subject when nothing was counted."""
    if not seen.n:
        return f"No request was seen, so nothing is known about {about}."
    counted = f"{seen.bad} of {seen.n} requests were bad ({show_ratio(seen.estimate or 0, 3)})"
    allowed = f"{show_ratio(seen.limit or 0)} may be"
    if state is State.PASS:
        return f"{counted}; {allowed}, and at most {show_ratio(seen.high or 0, 3)} truly are."
    if state is State.FAIL:
        return f"{counted}; {allowed}, and at least {show_ratio(seen.low or 0, 3)} truly are."
    more = f"{seen.more} more good requests would prove it" if seen.more else "more requests are needed"
    return f"{counted}; {allowed}. Too few to decide: {more}."


def forecast(
    expectation: str, during: Iterable[str], limit: float, scenario: Scenario, arrivals: Sequence[float]
) -> Forecast:
    """Requests expected in the phases, needed for a clean proof, and the chance of PASS for a few truths."""
    phases = [scenario.phase(name) for name in during]
    expects = sum(1 for due in arrivals if any(phase.start <= due < phase.end for phase in phases))
    truths = [limit * share for share in (0.0, 0.1, 0.5, 1.0, 2.0)]
    return Forecast(
        expectation=expectation,
        expects=expects,
        needs=stats.least_clean_events(limit),
        most_bad=stats.most_bad_that_passes(expects, limit),
        chances={truth: stats.chance_to_pass(expects, limit, truth) for truth in truths if truth < 1},
    )
