"""A bad-event ratio against a limit: proved, disproved or undecided; shared by the kinds that count requests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast import stats
from holdfast.expect.base import bad_requests, requests_of
from holdfast.model.scenario import Forecast
from holdfast.model.verdict import Evidence, State
from holdfast.units import show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from holdfast.model.scenario import Phase, Scenario
    from holdfast.model.slo import ClientSli
    from holdfast.model.timeline import Timeline


COMPANY: Final = 2.0
"""Requests that tell as much as one, for want of knowledge: measured on the reference platform, 1.6 to 2.4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Bad requests of all; `effect` of them, at least 1, tell as much as one that has nothing to do with the others."""

    bad: int
    total: int
    effect: float = 1.0

    @property
    def n_eff(self) -> float:
        """Independent requests that would tell as much."""
        return self.total / self.effect

    @property
    def bad_eff(self) -> float:
        """Bad ones among them."""
        return self.bad / self.effect


def count(timeline: Timeline, names: Sequence[str], sli: ClientSli | None, bound: float | None) -> Counts:
    """The requests of some phases as events of an SLI, with the design effect that they show."""
    requests = requests_of(timeline, names)
    bad = bad_requests(requests, sli, bound)
    if requests.empty:
        return Counts(bad=0, total=0)
    # How slow the first token was tells of queues and batches; how slow the last one, mostly how long the answer was.
    reached = requests["done" if sli == "e2e" else "first"]
    # To the microsecond: below it equal latencies differ by rounding alone, and rounding follows the time.
    latencies = (reached - requests["due"]).round(6).to_numpy(dtype=float)
    moments = judged_seconds(requests["due"], [timeline.scenario.phase(name) for name in names])
    effect = stats.effect_seen(moments, bad.to_numpy(dtype=bool), latencies)
    return Counts(bad=int(bad.sum()), total=len(requests), effect=effect)


def judged_seconds(due: pd.Series[float], phases: Iterable[Phase]) -> NDArray[np.float64]:
    """Where due times fall when only some phases are laid end to end, in seconds; what came before is at the start."""
    import numpy as np  # noqa: PLC0415 - arrays are handed in; `check` need not import numpy

    times, before = due.to_numpy(dtype=float), 0.0
    placed = np.zeros(len(times))
    for phase in sorted(phases, key=lambda one: one.start):
        inside = before + np.clip(times - phase.start, 0, phase.length)
        placed = np.where(times >= phase.start, inside, placed)
        before += phase.length
    return placed


def prove(
    counts: Counts, limit: float, scenario: Scenario, other: Mapping[str, float | int | str | None]
) -> tuple[State, Evidence]:
    """PASS when the true ratio is proved to be within `limit`, FAIL when it is proved to be beyond, else UNKNOWN.

    By Clopper and Pearson's bounds, asked once; in a scenario that may stop early by the e-process, asked at any time;
    each bound at the scenario's alpha. PASS is a promise about the service, so its bound counts effective requests: a
    burst that did not come is no proof that none will. FAIL is about what this run's users saw: every request counts.
    """
    alpha, sequential = scenario.alpha, scenario.stop == "early"
    state = _sequential(counts, limit, alpha) if sequential else _exact(counts, limit, alpha)
    evidence = Evidence(
        n=counts.total,
        bad=counts.bad,
        n_eff=counts.n_eff,
        estimate=counts.bad / counts.total if counts.total else None,
        low=stats.lower_bound(counts.bad, counts.total, alpha),
        high=stats.upper_bound(counts.bad_eff, counts.n_eff, alpha),
        limit=limit,
        unit="bad-event ratio",
        method="mixture e-process" if sequential else "Clopper-Pearson, one-sided bounds, the upper one of n_eff",
        alpha=alpha,
        p=_p_value(counts, limit, sequential=sequential),
        more=_more(counts, limit, scenario) if state is State.UNKNOWN else None,
        other=other,
    )
    return state, evidence


def _exact(counts: Counts, limit: float, alpha: float) -> State:
    if not counts.total:
        return State.UNKNOWN
    if stats.upper_bound(counts.bad_eff, counts.n_eff, alpha) <= limit:
        return State.PASS
    return State.FAIL if stats.lower_bound(counts.bad, counts.total, alpha) > limit else State.UNKNOWN


def _sequential(counts: Counts, limit: float, alpha: float) -> State:
    if not 0 < limit < 1 or not counts.total:
        return _exact(counts, limit, alpha)
    said = stats.decide(counts.bad, counts.total, limit, alpha, counts.effect)
    return {"good": State.PASS, "bad": State.FAIL, None: State.UNKNOWN}[said]


def settled(counts: Counts, limit: float, alpha: float) -> bool:
    """Whether the e-process has decided, whichever way; it may be asked after every request."""
    return _sequential(counts, limit, alpha) is not State.UNKNOWN


def _p_value(counts: Counts, limit: float, *, sequential: bool) -> float:
    if sequential and 0 < limit < 1:
        against = stats.log_e(counts.bad, counts.total, limit, stats.bad_ratios(limit))
        return min(1.0, math.exp(-against / counts.effect))
    return stats.breach_p_value(counts.bad, counts.total, limit)


def _more(counts: Counts, limit: float, scenario: Scenario) -> int | None:
    """Further good requests, in the company of the others, that would bring a PASS."""
    judged = _sequential if scenario.stop == "early" else _exact

    def proved(more: int) -> bool:
        longer = Counts(bad=counts.bad, total=counts.total + more, effect=counts.effect)
        return judged(longer, limit, scenario.alpha) is State.PASS

    return stats.first_that(proved)


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
    return f"{counted}; {allowed}. Too few to decide: {more}.{_company(seen)}"


def _company(seen: Evidence) -> str:
    """Why so many are needed, where it is not their number alone."""
    if seen.n is None or seen.n_eff is None or seen.n_eff > 0.9 * seen.n:
        return ""
    return f" They are slow or bad together: {seen.n} tell as much as {seen.n_eff:.0f} independent ones."


def forecast(
    expectation: str, during: Iterable[str], limit: float, scenario: Scenario, arrivals: Sequence[float]
) -> Forecast:
    """Requests expected in the phases, needed for a clean proof at the least, and the chance of PASS for a few truths.

    The need is that of requests that have nothing to do with each other, where a run can show that; the chances are
    those of requests that keep company as on the reference platform.
    """
    phases = [scenario.phase(name) for name in during]
    expects = sum(1 for due in arrivals if any(phase.start <= due < phase.end for phase in phases))
    seconds = sum(phase.length for phase in phases)
    rate = expects / seconds
    blind = max(1.0, rate) if seconds < stats.FEWEST_BLOCKS else 1.0
    effect = max(blind, COMPANY)
    needs = _more(Counts(bad=0, total=0), limit, scenario) or 0
    # Longer than this it is not blind any more, and needs no more than others.
    needs = needs if blind == 1 else min(math.ceil(needs * blind), max(needs, math.ceil(rate * stats.FEWEST_BLOCKS)))
    likely = int(expects / effect)
    most_bad = _most_bad(likely, limit, scenario)
    truths = [truth for truth in (limit * share for share in (0.0, 0.1, 0.5, 1.0, 2.0)) if truth < 1]
    return Forecast(
        expectation=expectation,
        expects=expects,
        needs=needs,
        most_bad=max(-1, int(most_bad * effect)),
        chances={truth: stats.chance_of_at_most(most_bad, likely, truth) for truth in truths},
    )


def _most_bad(total: int, limit: float, scenario: Scenario) -> int:
    """The largest number of bad requests among so many independent ones with which they pass; -1: not even none."""
    judged = _sequential if scenario.stop == "early" else _exact

    def too_many(bad: int) -> bool:
        return bad > total or judged(Counts(bad=bad, total=total), limit, scenario.alpha) is not State.PASS

    return (stats.first_that(too_many) or 0) - 1
