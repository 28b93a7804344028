"""`slo`: an objective holds over the requests of the named phases, proved by exact binomial bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast import stats
from holdfast.expect.base import Context, ExpectationShape, bad_events, requests_of
from holdfast.model.scenario import Expectation, Forecast
from holdfast.model.verdict import Evidence, State, Verdict
from holdfast.spec.shapes import Ratio  # noqa: TC001 - pydantic reads it
from holdfast.units import show_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.model.scenario import Scenario
    from holdfast.model.slo import Slo
    from holdfast.model.timeline import Timeline


class Shape(ExpectationShape):
    """{slo: gateway/availability, during: [fault], objective: 99%}."""

    slo: str
    during: list[str] = Field(min_length=1)
    objective: Ratio | None = None

    def resolve(self, context: Context) -> SloHolds | None:
        """Look up the SLO and the phases."""
        slo, during = context.slo("slo", self.slo), context.phase_names("during", self.during)
        if self.objective is not None and round(1 - self.objective, 12) <= 0:
            context.trouble(("objective",), "an objective of 100% can never be proved", "choose 99.9% or less")
        if self.objective == 0:
            context.trouble(("objective",), "an objective of 0% is always kept", "it would prove nothing")
        if slo is None:
            return None
        return SloHolds(slo=slo, during=during, objective=self.objective or slo.objective, where=context.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class SloHolds(Expectation):
    """The objective (of the SLO, or an override) over the requests of some phases."""

    kind: ClassVar[str] = "slo"
    slo: Slo = field()
    during: tuple[str, ...]
    objective: float

    @property
    def id(self) -> str:
        """slo:gateway/availability[baseline,recovery]."""
        return f"slo:{self.slo.id}[{','.join(self.during)}]"

    @property
    def limit(self) -> float:
        """Largest bad-event ratio allowed."""
        return round(1 - self.objective, 12)

    def judge(self, timeline: Timeline) -> Verdict:
        """PASS when the upper bound is within the limit, FAIL when the lower bound is beyond it, else UNKNOWN."""
        requests = requests_of(timeline, self.during)
        n, bad = len(requests), int(bad_events(requests, self.slo).sum())
        evidence = Evidence(
            n=n,
            bad=bad,
            estimate=bad / n if n else None,
            low=stats.lower_bound(bad, n),
            high=stats.upper_bound(bad, n),
            limit=self.limit,
            unit="bad-event ratio",
            method="Clopper-Pearson, one-sided bounds",
            alpha=stats.ALPHA,
            more=stats.events_to_pass(bad, n, self.limit),
            other=_second_witness(timeline, self.slo, self.during),
        )
        state = _state(evidence.low or 0.0, evidence.high or 0.0, self.limit) if n else State.UNKNOWN
        return Verdict(
            id=self.id,
            kind=self.kind,
            state=state,
            sentence=_sentence(state, self.slo, evidence),
            evidence=evidence,
            where=self.where,
        )

    def forecast(self, scenario: Scenario, arrivals: Sequence[float]) -> Forecast:
        """Requests expected in the phases, needed for a clean proof, and the chance of PASS for a few truths."""
        phases = [scenario.phase(name) for name in self.during]
        expects = sum(1 for due in arrivals if any(phase.start <= due < phase.end for phase in phases))
        truths = [self.limit * share for share in (0.0, 0.1, 0.5, 1.0, 2.0)]
        return Forecast(
            expectation=self.id,
            expects=expects,
            needs=stats.least_clean_events(self.limit),
            most_bad=stats.most_bad_that_passes(expects, self.limit),
            chances={truth: stats.chance_to_pass(expects, self.limit, truth) for truth in truths if truth < 1},
        )


def _state(low: float, high: float, limit: float) -> State:
    if high <= limit:
        return State.PASS
    return State.FAIL if low > limit else State.UNKNOWN


def _sentence(state: State, slo: Slo, seen: Evidence) -> str:
    if not seen.n:
        return f"No request was seen, so nothing is known about {slo.id}."
    counted = f"{seen.bad} of {seen.n} requests were bad ({show_ratio(seen.estimate or 0, 3)})"
    allowed = f"{show_ratio(seen.limit or 0)} may be"
    if state is State.PASS:
        return f"{counted}; {allowed}, and at most {show_ratio(seen.high or 0, 3)} truly are."
    if state is State.FAIL:
        return f"{counted}; {allowed}, and at least {show_ratio(seen.low or 0, 3)} truly are."
    more = f"{seen.more} more good requests would prove it" if seen.more else "more requests are needed"
    return f"{counted}; {allowed}. Too few to decide: {more}."


def _second_witness(timeline: Timeline, slo: Slo, during: tuple[str, ...]) -> dict[str, float | int | str | None]:
    counted = [one for one in timeline.metrics.counted if one.slo == slo.id and one.phase in during]
    known = [(one.total, one.bad) for one in counted if one.total is not None and one.bad is not None]
    if len(known) != len(during):
        return {"prometheus": timeline.metrics.trouble or "no data"}
    return {
        "prometheus total": round(sum(total for total, _ in known), 1),
        "prometheus bad": round(sum(bad for _, bad in known), 1),
    }
