"""`slo`: an objective holds over the requests of the named phases, proved by exact binomial bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.expect.base import Context, ExpectationShape
from holdfast.expect.proportion import count, forecast, prove, sentence, settled
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import Verdict
from holdfast.spec.shapes import Ratio  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.model.scenario import Forecast, Scenario
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
        counts = count(timeline, self.during, self.slo.sli, self.slo.bound)
        witness = _second_witness(timeline, self.slo, self.during)
        state, evidence = prove(counts, self.limit, timeline.scenario, witness)
        return Verdict(
            id=self.id,
            kind=self.kind,
            state=state,
            sentence=sentence(state, evidence, self.slo.id),
            evidence=evidence,
            where=self.where,
        )

    def settled(self, timeline: Timeline) -> bool:
        """Whether the e-process has decided."""
        counts = count(timeline, self.during, self.slo.sli, self.slo.bound)
        return settled(counts, self.limit, timeline.scenario.alpha)

    def forecast(self, scenario: Scenario, arrivals: Sequence[float]) -> Forecast:
        """Requests expected in the phases, and what they can prove."""
        return forecast(self.id, self.during, self.limit, scenario, arrivals)


def _second_witness(timeline: Timeline, slo: Slo, during: tuple[str, ...]) -> dict[str, float | int | str | None]:
    counted = [one for one in timeline.metrics.counted if one.slo == slo.id and one.phase in during]
    known = [(one.total, one.bad) for one in counted if one.total is not None and one.bad is not None]
    if len(known) != len(during):
        return {"prometheus": timeline.metrics.trouble or "no data"}
    return {
        "prometheus total": round(sum(total for total, _ in known), 1),
        "prometheus bad": round(sum(bad for _, bad in known), 1),
    }
