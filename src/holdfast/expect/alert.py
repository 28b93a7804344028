"""`alert`: it reaches a receiver soon after the fault, rightly labelled, and clears once that is gone; or stays silent.

What a receiver hears of one alert are notifications; what is judged are the stretches in which it was firing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.expect.base import Context, ExpectationShape, fault_time, merged
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import Evidence, State, Verdict
from holdfast.spec.shapes import Duration  # noqa: TC001 - pydantic reads it
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.model.timeline import AlertEvent, Timeline

WATCHDOG: Final = "Watchdog"
"""The alert that always fires: it proves the alert path, and nothing about the platform."""
GAP: Final = 20.0
"""Seconds without a notification after which the alert path may be dead: four of the Watchdog's on our platform."""


class Shape(ExpectationShape):
    """{alert: EngineDown, severity: page, fires-within: 15s, clears-within: 1m}; or stays-silent: true, during: []."""

    alert: str
    severity: str | None = None
    fires_within: Duration | None = Field(None, alias="fires-within")
    clears_within: Duration | None = Field(None, alias="clears-within")
    stays_silent: bool = Field(default=False, alias="stays-silent")
    during: list[str] | None = Field(None, min_length=1)

    def resolve(self, context: Context) -> AlertFires | AlertSilent:
        """Either of two questions: that it fires after a fault, or that it does not fire."""
        if self.alert == WATCHDOG:
            context.trouble(("alert",), "the Watchdog always fires", "name an alert that tells of the platform")
        return self._silent(context) if self.stays_silent else self._fires(context)

    def _fires(self, context: Context) -> AlertFires:
        if self.fires_within is None and self.clears_within is None:
            context.trouble(("alert",), "nothing is asked of the alert", "add fires-within: 30s or clears-within: 2m")
        if self.during is not None:
            context.trouble(("during",), "during goes with stays-silent alone", "firing is timed from the fault")
        context.needs_fault("alert")
        return AlertFires(
            alert=self.alert,
            severity=self.severity,
            fires_within=self.fires_within,
            clears_within=self.clears_within,
            where=context.where,
        )

    def _silent(self, context: Context) -> AlertSilent:
        for key in ("severity", "fires-within", "clears-within"):
            if getattr(self, key.replace("-", "_")) is not None:
                context.trouble((key,), f"stays-silent excludes {key}", "ask for the one or the other")
        during = context.phase_names("during", self.during or ())
        return AlertSilent(alert=self.alert, during=during, where=context.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A stretch in which one alert (one set of labels) was firing, in seconds from run start, by its notifications.

    `since` is -inf when only its end was heard, `until` is inf when that was not.
    """

    name: str
    severity: str
    since: float
    until: float


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
        """FAIL when it is silent, late or of the wrong severity; UNKNOWN when the fault or the record's end forbids.

        Only what began to fire after the fault counts; of several, the first one's time and severity do. An SLO's page
        and ticket bear one name: where the severity asked for was heard, only it counts.
        """
        applied, gone = fault_time(timeline, "applied"), fault_time(timeline, "gone")
        if applied is None or not math.isfinite(applied):
            return self._verdict([(State.UNKNOWN, "No fault was applied, so no alert was due.")], None, None)
        mine, end = self._mine(timeline), record_end(timeline)
        fresh = [one for one in mine if one.since >= applied]
        fired = fresh[0] if fresh else None
        ended = max((one.until for one in fresh), default=math.inf)
        cleared = elapsed(gone, ended) if gone is not None and math.isfinite(ended - gone) else None
        before = any(one.since < applied < one.until for one in mine)
        answers = [self._fires(fired, applied, end, before=before), self._right_severity(fired)]
        if fired:
            answers.append(self._clears(cleared, gone, end))
        if untimed(timeline.alerts, self.alert):
            answers.append((State.UNKNOWN, "One of its notifications has no time."))
        told = [answer for answer in answers if answer]
        return self._verdict(told, elapsed(applied, fired.since) if fired else None, cleared)

    def settled(self, timeline: Timeline) -> bool:
        """By time alone: the record reaches both bounds. Before the fault there is nothing to hear."""
        applied, gone, end = fault_time(timeline, "applied"), fault_time(timeline, "gone"), record_end(timeline)
        if applied is None:
            return True
        cleared = self.clears_within is None or (gone is not None and end >= gone + self.clears_within)
        return cleared and end >= applied + (self.fires_within or 0.0)

    def _mine(self, timeline: Timeline) -> tuple[Firing, ...]:
        found = firings(timeline.alerts, self.alert)
        return tuple(one for one in found if one.severity == self.severity) or found

    def _fires(self, fired: Firing | None, applied: float, end: float, *, before: bool) -> tuple[State, str]:
        if fired is None:
            return self._never(elapsed(applied, end), before=before)
        took = elapsed(applied, fired.since)
        text = f"{self.alert} fired {show_duration(round(took, 1))} after the fault"
        if self.fires_within is None:
            return State.PASS, f"{text}."
        allowed = show_duration(self.fires_within)
        return (State.PASS if took <= self.fires_within else State.FAIL), f"{text}; allowed {allowed}."

    def _never(self, waited: float, *, before: bool) -> tuple[State, str]:
        if before:
            return State.UNKNOWN, f"{self.alert} was firing before the fault, so it could not tell of it."
        if self.fires_within is not None and waited < self.fires_within:
            allowed = show_duration(self.fires_within)
            return State.UNKNOWN, f"{self.alert} had not fired when the record ended; allowed {allowed}."
        return State.FAIL, f"{self.alert} never fired."

    def _right_severity(self, fired: Firing | None) -> tuple[State, str] | None:
        if fired is None or self.severity in (None, fired.severity):
            return None
        return State.FAIL, f"Its severity is {fired.severity or 'not set'}, expected {self.severity}."

    def _clears(self, cleared: float | None, gone: float | None, end: float) -> tuple[State, str] | None:
        if self.clears_within is None:
            return None
        allowed = show_duration(self.clears_within)
        if gone is None or not math.isfinite(gone):
            return State.UNKNOWN, "The fault was never seen gone, so the alert had no reason to clear."
        if cleared is None and elapsed(gone, end) < self.clears_within:
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
        return merged(self, answers, evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSilent(Expectation):
    """It fires at no moment of some phases, or of the whole run when none is named."""

    kind: ClassVar[str] = "alert"
    alert: str
    during: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """alert:GatewayAvailability silent, or alert:GatewayAvailability silent[baseline]."""
        return f"alert:{self.alert} silent" + (f"[{','.join(self.during)}]" if self.during else "")

    def judge(self, timeline: Timeline) -> Verdict:
        """FAIL when it was firing; PASS needs the Watchdog around each phase: a dead path is silent too."""
        windows, dogs = self._windows(timeline), heard(timeline.alerts, WATCHDOG)
        gap = max(longest_gap(dogs, start, end) for start, end in windows)
        loud = [one for one in firings(timeline.alerts, self.alert) if self._touches(one, windows)]
        end = record_end(timeline)
        if loud:
            answer = self._loud(loud[0])
        elif untimed(timeline.alerts, self.alert):
            answer = State.UNKNOWN, f"A notification of {self.alert} has no time."
        elif end < windows[-1][1]:
            answer = State.UNKNOWN, f"{self.alert} was not heard, but the record ends at second {end:.1f}."
        else:
            answer = self._silent(gap)
        evidence = Evidence(
            bad=len(loud),
            method="notifications as received",
            other={
                "watchdogs heard": sum(1 for t in dogs if any(start <= t <= end for start, end in windows)),
                "longest gap between them, seconds": round(gap, 3) if math.isfinite(gap) else None,
            },
        )
        return Verdict(
            id=self.id, kind=self.kind, state=answer[0], sentence=answer[1], evidence=evidence, where=self.where
        )

    def settled(self, timeline: Timeline) -> bool:  # noqa: ARG002 - no record of less time settles it
        """Never before the time is over that the scenario gave it: silence is worth as much as it lasted."""
        return False

    def _windows(self, timeline: Timeline) -> list[tuple[float, float]]:
        """Start and end of what must be silent, in order."""
        phases = timeline.scenario.phases
        if self.during:
            return [(one.start, one.end) for one in phases if one.name in self.during]
        return [(phases[0].start, phases[-1].end)]

    def _touches(self, one: Firing, windows: Sequence[tuple[float, float]]) -> bool:
        """Whether it was firing in a window; the whole run includes what arrived while its record was being taken."""
        return any((not self.during or one.since <= end) and one.until > start for start, end in windows)

    def _loud(self, first: Firing) -> tuple[State, str]:
        known = math.isfinite(first.since)
        when = f"fired at second {first.since:.1f}" if known else "was firing before the record began"
        return State.FAIL, f"{self.alert} {when}; it had to stay silent{self._where}."

    def _silent(self, gap: float) -> tuple[State, str]:
        if not gap <= GAP:
            silence = f"for {show_duration(round(gap, 1))}" if math.isfinite(gap) else "at all"
            return State.UNKNOWN, f"{self.alert} was not heard, but neither was the Watchdog {silence}."
        return State.PASS, f"{self.alert} stayed silent{self._where}, and the alert path was heard."

    @property
    def _where(self) -> str:
        return f" during {', '.join(self.during)}" if self.during else ""


def firings(alerts: Iterable[AlertEvent], name: str | None = None) -> tuple[Firing, ...]:
    """When alerts were firing, first to last: of that name, or of all but the Watchdog.

    Notifications of the same labels belong together. One that says "resolved" without a "firing" before it ends a
    stretch that nobody heard begin; a further "resolved" means that it was firing until then.
    """
    series: dict[str, list[AlertEvent]] = {}
    for event in sorted((one for one in alerts if math.isfinite(one.t)), key=lambda one: one.t):
        if _is_asked(event, name):
            series.setdefault(repr((event.name, event.severity, sorted(event.labels.items()))), []).append(event)
    return tuple(sorted((one for events in series.values() for one in _stretches(events)), key=lambda one: one.since))


def _is_asked(event: AlertEvent, name: str | None) -> bool:
    return event.name != WATCHDOG if name is None else event.name == name


def _stretches(events: Iterable[AlertEvent]) -> list[Firing]:
    found: list[Firing] = []
    for event in events:
        if event.status == "resolved":
            since = found.pop().since if found else -math.inf
            found.append(Firing(name=event.name, severity=event.severity, since=since, until=event.t))
        elif not found or found[-1].until < math.inf:
            found.append(Firing(name=event.name, severity=event.severity, since=event.t, until=math.inf))
    return found


def untimed(alerts: Iterable[AlertEvent], name: str | None = None) -> bool:
    """Whether a notification of that name (or of any but the Watchdog) came at no finite time."""
    return any(not math.isfinite(one.t) and _is_asked(one, name) for one in alerts)


def heard(alerts: Iterable[AlertEvent], name: str | None = None) -> list[float]:
    """When notifications came, ascending: of that name, or all of them."""
    return sorted(one.t for one in alerts if math.isfinite(one.t) and name in (None, one.name))


def heard_until(times: Iterable[float], since: float) -> float:
    """Last of the ascending `times` that is reached from `since` without a gap over GAP; `since` when none is."""
    reached = since
    for t in times:
        if t > reached + GAP:
            break
        reached = max(reached, t)
    return reached


def longest_gap(times: Iterable[float], start: float, end: float) -> float:
    """Longest time between two neighbours of `times` that touches the window; inf when there is none at all.

    The neighbours may lie outside the window. Where there is none on a side, the window's edge takes its place.
    """
    known = sorted(times)
    if not known:
        return math.inf
    before = max((t for t in known if t < start), default=start)
    after = min((t for t in known if t > end), default=end)
    return max(late - early for early, late in pairwise([before, *(t for t in known if start <= t <= end), after]))


def elapsed(since: float, until: float) -> float:
    """Seconds between, to the microsecond: what a subtraction leaves beyond that is no time, but may cross a bound."""
    return round(until - since, 6)


def record_end(timeline: Timeline) -> float:
    """Second at which the record ends: the scenario's end, or the last event of a run that did not come so far."""
    return min(timeline.scenario.length, max((one.t for one in timeline.events if math.isfinite(one.t)), default=0.0))
