"""`recovery`: after the fault struck, seconds until it is noticed, until a good answer, until the SLO is kept again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.expect.alert import WATCHDOG, elapsed, firings, heard, heard_until, record_end, untimed
from holdfast.expect.base import Context, ExpectationShape, bad_events, fault_time, merged, valid_events
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import Evidence, State, Verdict
from holdfast.spec.shapes import Duration  # noqa: TC001 - pydantic reads it
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

    from holdfast.model.slo import Slo
    from holdfast.model.timeline import AlertEvent, Timeline

    Answer = tuple[State, str]

WINDOW: Final = 5.0
"""Seconds over which the SLO must hold to count as kept: long enough to hold dozens of requests, short beside any
recovery bound worth writing."""


class Shape(ExpectationShape):
    """{recovery: gateway/availability, within: 15s, answers-within: 2s, detected-within: 10s, detected-by: NAME}."""

    recovery: str
    within: Duration
    answers_within: Duration | None = Field(None, alias="answers-within")
    detected_within: Duration | None = Field(None, alias="detected-within")
    detected_by: str | None = Field(None, alias="detected-by")

    def resolve(self, context: Context) -> RecoversWithin | None:
        """Look up the SLO; a fault must exist to recover from."""
        slo = context.slo("recovery", self.recovery)
        context.needs_fault("recovery")
        if self.detected_by is not None and self.detected_within is None:
            context.trouble(("detected-by",), "nothing is asked of the alert", "add detected-within: 10s")
        if self.detected_by == WATCHDOG:
            context.trouble(("detected-by",), "the Watchdog always fires", "name an alert that the fault sets off")
        for key, bound in (("answers-within", self.answers_within), ("detected-within", self.detected_within)):
            if bound == 0:
                context.trouble((key,), "nothing happens within 0s", "write a bound such as 2s")
        if slo is None:
            return None
        return RecoversWithin(
            slo=slo,
            within=self.within,
            answers_within=self.answers_within,
            detected_within=self.detected_within,
            detected_by=self.detected_by,
            where=context.where,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How long after the fault something came: `seconds`, or None when that was not seen. `by` names what came.

    It surely took `least` seconds: of one not seen, until the record stops (censored). It may be called late only by a
    bound of at least `watched` seconds, before which nobody looked, and only where there is no `doubt`.
    """

    seconds: float | None
    least: float
    watched: float = 0.0
    by: str = ""
    doubt: str = ""

    def within(self, bound: float) -> State:
        """PASS when it came in time, FAIL when it surely took longer, else UNKNOWN. NaN is neither in time nor late."""
        if self.seconds is not None and self.seconds <= bound:
            return State.PASS
        return State.FAIL if self.least > bound >= self.watched and not self.doubt else State.UNKNOWN

    def shown(self, name: str) -> dict[str, float | None]:
        """The number by its name, None when it was not seen; then also what it is more than."""
        if self.seconds is not None and math.isfinite(self.seconds):
            return {name: round(self.seconds, 3)}
        return {name: None, **({f"{name}, more than": round(self.least, 3)} if 0 < self.least < math.inf else {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoversWithin(Expectation):
    """Seconds from the fault being applied to the alert, to the first good answer, and to the SLO being kept again.

    Only `within`, for the SLO, is always asked; what has no bound is measured and shown.
    """

    kind: ClassVar[str] = "recovery"
    slo: Slo = field()
    within: float
    answers_within: float | None = None
    detected_within: float | None = None
    detected_by: str | None = None

    @property
    def id(self) -> str:
        """recovery:gateway/availability."""
        return f"recovery:{self.slo.id}"

    def judge(self, timeline: Timeline) -> Verdict:
        """Clients tell of answers, the alert receiver of detection. UNKNOWN when the record ends too early to tell."""
        applied = fault_time(timeline, "applied")
        if applied is None or not math.isfinite(applied):
            sentence = "No fault was applied, so there is nothing to recover from."
            return self._verdict([(State.UNKNOWN, sentence)], Evidence())
        end = record_end(timeline)
        requests = ending(valid_events(timeline.load.requests), end)
        bad, ended = bad_events(requests, self.slo), requests["ended"].to_numpy()
        detected = time_to_detect(timeline.alerts, applied, self.detected_by)
        answered = time_to_answer(requests, bad, applied, end)
        broken = last_broken(ended, bad.to_numpy(), self.slo.budget, since=applied)
        took = max(0.0, elapsed(applied, broken))
        n, after = int((ended > applied).sum()), int(((ended > broken) & ~bad).sum())
        kept = Wait(seconds=took if after and elapsed(broken, end) >= WINDOW else None, least=took)
        evidence = Evidence(
            n=n,
            bad=int(bad[ended > applied].sum()),
            estimate=took,
            limit=self.within,
            unit="seconds",
            method=f"last request at which the SLO was broken over the {WINDOW:g} s before it",
            other={
                **self._shown(detected, answered, kept),
                "good requests afterwards": after,
                "fault applied at second": round(applied, 3),
            },
        )
        return self._verdict([*self._detected(detected), *self._answered(answered), self._kept(kept, n)], evidence)

    def settled(self, timeline: Timeline) -> bool:
        """By time alone: the record reaches WINDOW past the largest bound. Before the fault there is nothing to see."""
        applied = fault_time(timeline, "applied")
        longest = max(self.within, self.answers_within or 0.0, self.detected_within or 0.0)
        return applied is None or record_end(timeline) >= applied + longest + WINDOW

    def _shown(self, detected: Wait, answered: Wait, kept: Wait) -> dict[str, float | str | None]:
        bounds = {"detected within": self.detected_within, "answers within": self.answers_within}
        return {
            **detected.shown("seconds to detect"),
            **({"detected by": detected.by} if detected.by else {}),
            **answered.shown("seconds to first good answer"),
            **kept.shown("seconds to SLO restored"),
            **{name: bound for name, bound in bounds.items() if bound is not None},
        }

    def _detected(self, wait: Wait) -> list[Answer]:
        if self.detected_within is None:
            return []
        state, bound = wait.within(self.detected_within), show_duration(self.detected_within)
        least = _text(wait.least)
        if state is State.UNKNOWN and wait.doubt:
            return [(state, wait.doubt)]
        if wait.seconds is not None:
            came = f"{wait.by} fired {_text(wait.seconds)} after the fault"
            deaf = f"{came}, but until then the alert path was heard for only {least}; allowed {bound}."
            return [(state, deaf if state is State.UNKNOWN else f"{came}; allowed {bound}.")]
        what = f"{self.detected_by} did not fire" if self.detected_by else "No alert fired"
        ends = " and then the alert path was heard no more" if state is State.UNKNOWN else ""
        return [(state, f"{what} for {least} after the fault{ends}; allowed {bound}.")]

    def _answered(self, wait: Wait) -> list[Answer]:
        if self.answers_within is None:
            return []
        state, bound = wait.within(self.answers_within), show_duration(self.answers_within)
        if state is State.UNKNOWN and wait.doubt:
            return [(state, wait.doubt)]
        if state is State.UNKNOWN and wait.watched > self.answers_within:
            return [(state, f"Nobody asked until {_text(wait.watched)} after the fault; allowed {bound}.")]
        if wait.seconds is not None:
            return [(state, f"First good answer {_text(wait.seconds)} after the fault; allowed {bound}.")]
        ends = ", when the record ends" if state is State.UNKNOWN else ""
        return [(state, f"No good answer until {_text(wait.least)} after the fault{ends}; allowed {bound}.")]

    def _kept(self, wait: Wait, n: int) -> Answer:
        state, took, bound = wait.within(self.within), _text(wait.least), show_duration(self.within)
        if state is State.FAIL:
            return state, f"The SLO was still broken {took} after the fault; allowed {bound}."
        if n == 0:
            return State.UNKNOWN, "No request ended after the fault, so nothing shows that the SLO was kept."
        if state is State.UNKNOWN:
            return (
                state,
                f"Last broken {took} after the fault, but the record ends before {WINDOW:g} s of good service.",
            )
        if wait.least == 0:
            return state, "The SLO was never broken after the fault."
        return state, f"Kept again {took} after the fault; allowed {bound}."

    def _verdict(self, answers: list[Answer], evidence: Evidence) -> Verdict:
        return merged(self, answers, evidence)


def _text(seconds: float) -> str:
    return show_duration(round(seconds, 2))


def time_to_detect(alerts: Sequence[AlertEvent], applied: float, name: str | None = None) -> Wait:
    """From `applied` to the first firing that began then or later: of that alert, or of any but the Watchdog.

    Silence proves lateness only as long as notifications of some kind kept coming, and no longer.
    """
    mine, heard_for = firings(alerts, name), elapsed(applied, heard_until(heard(alerts), applied))
    doubt = (
        "A notification has no time, so nobody can say when the fault was detected." if untimed(alerts, name) else ""
    )
    fired = next((one for one in mine if one.since >= applied), None)
    if fired:
        took = elapsed(applied, fired.since)
        return Wait(seconds=took, least=min(took, heard_for), by=fired.name, doubt=doubt)
    early = next((one for one in mine if one.until > applied), None)
    if early:
        doubt = doubt or f"{early.name} was firing before the fault, so nobody can say when the fault was detected."
    if heard_for == 0:
        doubt = doubt or "No alert was heard after the fault, not even the Watchdog, so silence says nothing."
    return Wait(seconds=None, least=heard_for, doubt=doubt)


def time_to_answer(requests: pd.DataFrame, bad: pd.Series[bool], applied: float, end: float) -> Wait:
    """From `applied` to the end of the first whole and good answer to a request that was due after it."""
    due, done = requests["due"], requests["done"]
    asked = (due > applied) & (due < math.inf)
    if not asked.any():
        return Wait(seconds=None, least=0.0, doubt="No request was due after the fault.")
    watched = elapsed(applied, float(due[asked].min()))
    good = done[asked & ~bad & (requests["outcome"] == "ok") & (done >= due) & (done < math.inf)]
    if good.empty:
        return Wait(seconds=None, least=max(0.0, elapsed(applied, end)), watched=watched)
    took = elapsed(applied, float(good.min()))
    return Wait(seconds=took, least=took, watched=watched)


def ending(requests: pd.DataFrame, end: float) -> pd.DataFrame:
    """The requests as they end, with the column `ended`: that of one without a time of its own is the record's end."""
    done = requests["done"]
    return requests.assign(ended=done.where(done.abs() < math.inf).fillna(end)).sort_values("ended", ignore_index=True)


def last_broken(ended: np.ndarray, bad: np.ndarray, budget: float, *, since: float) -> float:
    """When the last bad request ended at which the window before it broke the budget; `since` when none did.

    `ended` ascending, seconds; `bad` booleans of the same length. Requests count when they end: that is when a user
    knows. Those that end at the same moment count together, whatever their order.
    """
    import numpy as np  # noqa: PLC0415 - arrays are handed in; `check` need not import numpy

    seen = np.concatenate(([0], np.cumsum(bad)))
    for index in np.flatnonzero(bad & (ended > since))[::-1]:
        first = int(np.searchsorted(ended, max(since, ended[index] - WINDOW), side="left"))
        last = int(np.searchsorted(ended, ended[index], side="right"))
        if seen[last] - seen[first] > budget * (last - first):
            return float(ended[index])
    return since
