"""`recovery`: after the fault struck, the SLO is kept again within so many seconds, and stays kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.expect.base import Context, ExpectationShape, bad_events, fault_time, valid_events
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import Evidence, State, Verdict
from holdfast.spec.shapes import Duration  # noqa: TC001 - pydantic reads it
from holdfast.units import show_duration

if TYPE_CHECKING:
    import numpy as np

    from holdfast.model.slo import Slo
    from holdfast.model.timeline import Timeline

WINDOW: Final = 5.0
"""Seconds over which the SLO must hold to count as kept: long enough to hold dozens of requests, short beside any
recovery bound worth writing."""


class Shape(ExpectationShape):
    """{recovery: gateway/availability, within: 15s}."""

    recovery: str
    within: Duration

    def resolve(self, context: Context) -> RecoversWithin | None:
        """Look up the SLO; a fault must exist to recover from."""
        slo = context.slo("recovery", self.recovery)
        context.needs_fault("recovery")
        return RecoversWithin(slo=slo, within=self.within, where=context.where) if slo else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoversWithin(Expectation):
    """Time from the fault being applied to the last moment at which the SLO was broken."""

    kind: ClassVar[str] = "recovery"
    slo: Slo = field()
    within: float

    @property
    def id(self) -> str:
        """recovery:gateway/availability."""
        return f"recovery:{self.slo.id}"

    def judge(self, timeline: Timeline) -> Verdict:
        """Measured from the client's requests; UNKNOWN when the record ends before recovery could be seen."""
        applied = fault_time(timeline, "applied")
        if applied is None:
            return self._verdict(
                State.UNKNOWN, "No fault was applied, so there is nothing to recover from.", Evidence()
            )
        end = timeline.scenario.length
        requests = valid_events(timeline.load.requests)
        requests = requests.assign(ended=requests["done"].fillna(end)).sort_values("ended")
        ended, bad = requests["ended"].to_numpy(), bad_events(requests, self.slo).to_numpy()
        took = max(0.0, last_broken(ended, bad, self.slo.budget, since=applied) - applied)
        after = int(((ended > applied + took) & ~bad).sum())
        evidence = Evidence(
            n=int((ended > applied).sum()),
            bad=int(bad[ended > applied].sum()),
            estimate=took,
            limit=self.within,
            unit="seconds",
            method=f"last request at which the SLO was broken over the {WINDOW:g} s before it",
            other={"good requests afterwards": after, "fault applied at second": round(applied, 3)},
        )
        return self._judged(took, seen_for=end - applied - took, after=after, evidence=evidence)

    def _judged(self, took: float, *, seen_for: float, after: int, evidence: Evidence) -> Verdict:
        text, bound = show_duration(round(took, 2)), show_duration(self.within)
        if took > self.within:
            return self._verdict(
                State.FAIL, f"The SLO was still broken {text} after the fault; allowed {bound}.", evidence
            )
        if seen_for < WINDOW or after == 0:
            sentence = f"Last broken {text} after the fault, but the record ends before {WINDOW:g} s of good service."
            return self._verdict(State.UNKNOWN, sentence, evidence)
        if took == 0:
            return self._verdict(State.PASS, "The SLO was never broken after the fault.", evidence)
        return self._verdict(State.PASS, f"Kept again {text} after the fault; allowed {bound}.", evidence)

    def _verdict(self, state: State, sentence: str, evidence: Evidence) -> Verdict:
        return Verdict(id=self.id, kind=self.kind, state=state, sentence=sentence, evidence=evidence, where=self.where)


def last_broken(ended: np.ndarray, bad: np.ndarray, budget: float, *, since: float) -> float:
    """When the last bad request ended at which the window before it broke the budget; `since` when none did.

    `ended` ascending, seconds; `bad` booleans of the same length. Requests count when they end: that is when a user
    knows.
    """
    import numpy as np  # noqa: PLC0415 - arrays are handed in; `check` need not import numpy

    seen = np.concatenate(([0], np.cumsum(bad)))
    for index in np.flatnonzero(bad & (ended > since))[::-1]:
        first = int(np.searchsorted(ended, max(since, ended[index] - WINDOW), side="left"))
        broken = seen[index + 1] - seen[first]
        if broken > budget * (index + 1 - first):
            return float(ended[index])
    return since
