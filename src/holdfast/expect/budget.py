"""`budget`: the run spends at most this share of the error budget of the SLO's whole period."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from holdfast.expect.base import Context, ExpectationShape, bad_events, valid_events
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import Evidence, State, Verdict
from holdfast.spec.shapes import Ratio  # noqa: TC001 - pydantic reads it
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from holdfast.model.slo import Slo
    from holdfast.model.timeline import Timeline


class Shape(ExpectationShape):
    """{budget: gateway/availability, spend: 1%}."""

    budget: str
    spend: Ratio

    def resolve(self, context: Context) -> SpendsAtMost | None:
        """Look up the SLO."""
        slo = context.slo("budget", self.budget)
        return SpendsAtMost(slo=slo, spend=self.spend, where=context.where) if slo else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendsAtMost(Expectation):
    """Bad requests of the run over the bad requests the period allows at the run's own rate.

    A count of what happened, not an inference: spent = bad / (budget x rate x period).
    """

    kind: ClassVar[str] = "budget"
    slo: Slo = field()
    spend: float

    @property
    def id(self) -> str:
        """budget:gateway/availability."""
        return f"budget:{self.slo.id}"

    def judge(self, timeline: Timeline) -> Verdict:
        """UNKNOWN when no request was seen: no traffic spends nothing and proves nothing."""
        requests = valid_events(timeline.load.requests)
        n, length = len(requests), timeline.scenario.length
        allowed = self.slo.budget * n / length * self.slo.period if length else 0.0
        if not allowed:
            return self._verdict(State.UNKNOWN, "No request was seen, so no budget can be counted.", Evidence(n=n))
        bad = int(bad_events(requests, self.slo).sum())
        spent = bad / allowed
        evidence = Evidence(
            n=n,
            bad=bad,
            estimate=spent,
            limit=self.spend,
            unit="share of the error budget",
            method="count",
            other={"bad requests the period allows": round(allowed)},
        )
        period = show_duration(self.slo.period)
        sentence = (
            f"{bad} bad requests spent {show_ratio(spent, 3)} of the {period} budget; {show_ratio(self.spend)} may be."
        )
        return self._verdict(State.PASS if spent <= self.spend else State.FAIL, sentence, evidence)

    def _verdict(self, state: State, sentence: str, evidence: Evidence) -> Verdict:
        return Verdict(id=self.id, kind=self.kind, state=state, sentence=sentence, evidence=evidence, where=self.where)
