"""`alert`: the alert reaches a receiver soon after the fault, with the right severity, and clears after it is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.expect.base import Context, ExpectationShape, fault_time
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import Evidence, State, Verdict, worst
from holdfast.spec.shapes import Duration  # noqa: TC001 - pydantic reads it
from holdfast.units import show_duration

if TYPE_CHECKING:
    from holdfast.model.timeline import AlertEvent, Timeline


class Shape(ExpectationShape):
    """{alert: EngineDown, severity: page, fires-within: 15s, clears-within: 1m}."""

    alert: str
    severity: str | None = None
    fires_within: Duration | None = Field(None, alias="fires-within")
    clears_within: Duration | None = Field(None, alias="clears-within")

    def resolve(self, context: Context) -> AlertFires | None:
        """Something must be asked of the alert, and there must be a fault to measure from."""
        if self.fires_within is None and self.clears_within is None:
            context.trouble(("alert",), "nothing is asked of the alert", "add fires-within: 30s or clears-within: 2m")
        context.needs_fault("alert")
        return AlertFires(
            alert=self.alert,
            severity=self.severity,
            fires_within=self.fires_within,
            clears_within=self.clears_within,
            where=context.where,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFires(Expectation):
    """Seconds from fault applied to firing, and from fault gone to resolved, as the receiver got them."""

    kind: ClassVar[str] = "alert"
    alert: str
    severity: str | None = None
    fires_within: float | None = None
    clears_within: float | None = None

    @property
    def id(self) -> str:
        """alert:EngineDown."""
        return f"alert:{self.alert}"

    def judge(self, timeline: Timeline) -> Verdict:
        """FAIL when it is silent, late or of the wrong severity; UNKNOWN when the fault or the record's end forbids."""
        applied, gone = fault_time(timeline, "applied"), fault_time(timeline, "gone")
        if applied is None:
            return self._verdict([(State.UNKNOWN, "No fault was applied, so no alert was due.")], None, None)
        mine = [event for event in timeline.alerts if event.name == self.alert and event.t >= applied]
        fired = next((event for event in mine if event.status == "firing"), None)
        clears = [event for event in mine if event.status == "resolved"]
        # One that fires again after it cleared has not cleared.
        over = bool(clears) and mine[-1].status == "resolved"
        cleared = clears[-1].t - gone if fired and over and gone is not None else None
        answers = [self._fires(fired, applied), self._right_severity(fired)]
        if fired:
            answers.append(self._clears(cleared, gone, timeline.scenario.length))
        told = [answer for answer in answers if answer]
        return self._verdict(told, fired.t - applied if fired else None, cleared)

    def _fires(self, fired: AlertEvent | None, applied: float) -> tuple[State, str] | None:
        if fired is None:
            return State.FAIL, f"{self.alert} never fired."
        took = fired.t - applied
        text = f"{self.alert} fired {show_duration(round(took, 1))} after the fault"
        if self.fires_within is None:
            return State.PASS, f"{text}."
        allowed = show_duration(self.fires_within)
        return (State.PASS if took <= self.fires_within else State.FAIL), f"{text}; allowed {allowed}."

    def _right_severity(self, fired: AlertEvent | None) -> tuple[State, str] | None:
        if fired is None or self.severity in (None, fired.severity):
            return None
        return State.FAIL, f"Its severity is {fired.severity or 'not set'}, expected {self.severity}."

    def _clears(self, cleared: float | None, gone: float | None, end: float) -> tuple[State, str] | None:
        if self.clears_within is None:
            return None
        allowed = show_duration(self.clears_within)
        if gone is None:
            return State.UNKNOWN, "The fault was never seen gone, so the alert had no reason to clear."
        if cleared is None and end - gone < self.clears_within:
            return State.UNKNOWN, f"It had not cleared when the record ended; allowed {allowed}."
        if cleared is None:
            return State.FAIL, f"It never cleared; allowed {allowed}."
        took = show_duration(round(max(0.0, cleared), 1))
        state = State.PASS if cleared <= self.clears_within else State.FAIL
        return state, f"It cleared {took} after the fault was gone; allowed {allowed}."

    def _verdict(self, answers: list[tuple[State, str]], fired: float | None, cleared: float | None) -> Verdict:
        evidence = Evidence(
            estimate=fired,
            limit=self.fires_within,
            unit="seconds to fire",
            method="notification as received",
            other={"seconds to clear": cleared, "clears within": self.clears_within},
        )
        return Verdict(
            id=self.id,
            kind=self.kind,
            state=worst(state for state, _ in answers),
            sentence=" ".join(sentence for _, sentence in answers),
            evidence=evidence,
            where=self.where,
        )
