"""`latency`: a share of the requests of the named phases is faster than a bound, proved by exact binomial bounds.

Never a quantile read off a histogram: "p95 under 300 ms" is "at least 95 % under 300 ms", which can be counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.expect.base import Context, ExpectationShape
from holdfast.expect.proportion import count, forecast, prove, sentence, settled
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import Verdict
from holdfast.spec.shapes import Duration, Ratio  # noqa: TC001 - pydantic reads them
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.model.scenario import Forecast, Scenario
    from holdfast.model.slo import ClientSli
    from holdfast.model.timeline import Timeline


class Shape(ExpectationShape):
    """{latency: ttft, under: 300ms, at-least: 95%, during: [baseline]}."""

    latency: Literal["ttft", "e2e"]
    under: Duration
    at_least: Ratio = Field(alias="at-least")
    during: list[str] = Field(min_length=1)

    def resolve(self, context: Context) -> FasterThan:
        """Look up the phases; a share of 0% or 100% cannot be proved."""
        if round(1 - self.at_least, 12) <= 0:
            context.trouble(("at-least",), "100% can never be proved", "choose 99.9% or less")
        if self.at_least == 0:
            context.trouble(("at-least",), "0% always holds", "it would prove nothing")
        if self.under == 0:
            context.trouble(("under",), "nothing is faster than 0s", "write a bound such as 300ms")
        return FasterThan(
            sli=self.latency,
            under=self.under,
            share=self.at_least,
            during=context.phase_names("during", self.during),
            where=context.where,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FasterThan(Expectation):
    """At least `share` of the requests of some phases had their first token (or their end) within `under` seconds.

    Seen by clients alone: there is no SLO whose series Prometheus could count. A failed request counts as slow.
    """

    kind: ClassVar[str] = "latency"
    sli: ClientSli
    under: float
    share: float
    during: tuple[str, ...]

    @property
    def id(self) -> str:
        """latency:ttft<300ms[baseline]."""
        return f"latency:{self.sli}<{show_duration(self.under)}[{','.join(self.during)}]"

    @property
    def bound(self) -> float:
        """The latency bound in seconds."""
        return self.under

    @property
    def limit(self) -> float:
        """Largest share of slow requests allowed."""
        return round(1 - self.share, 12)

    def judge(self, timeline: Timeline) -> Verdict:
        """The share of slow requests against the limit."""
        counts = count(timeline, self.during, self.sli, self.under)
        state, evidence = prove(counts, self.limit, timeline.scenario, {"witness": "clients only"})
        text = sentence(state, evidence, f"{self.sli} under {show_duration(self.under)}")
        return Verdict(id=self.id, kind=self.kind, state=state, sentence=text, evidence=evidence, where=self.where)

    def settled(self, timeline: Timeline) -> bool:
        """Whether the e-process has decided."""
        return settled(count(timeline, self.during, self.sli, self.under), self.limit, timeline.scenario.alpha)

    def forecast(self, scenario: Scenario, arrivals: Sequence[float]) -> Forecast:
        """Requests expected in the phases, and what they can prove."""
        return forecast(self.id, self.during, self.limit, scenario, arrivals)
