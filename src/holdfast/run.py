"""The one impure loop: plays a scenario's phases against a platform and writes down what happens. It judges nothing.

Whatever ends it (the plan's end, a signal, an error), the load is stopped, every fault is undone and seen gone, and the
record is sealed.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from holdfast import early
from holdfast.chaos.ledger import OVER
from holdfast.clock import Anchor
from holdfast.errors import HoldfastError, InfrastructureError
from holdfast.halting import Burn, burns, why_halt
from holdfast.load import cut
from holdfast.load.live import Pulse, Tail
from holdfast.model.scenario import SHORTEST
from holdfast.model.timeline import Event, LoadRecord, Metrics, Timeline
from holdfast.plan import LEAD, SETTLE
from holdfast.store import folder as store
from holdfast.store.load import BEAT_COLUMNS, LINES, table, to_parquet
from holdfast.store.reading import metrics_as_json
from holdfast.trust import allowed_lateness
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from holdfast.chaos.ledger import Ledger
    from holdfast.chaos.strike import Striker
    from holdfast.clock import Clock
    from holdfast.load.process import LoadProcess
    from holdfast.model.platform import Driver, Identity
    from holdfast.model.scenario import Experiment, Phase, Scenario

TICK: Final = 0.1
_CLEAN: Final = 2.0
"""Seconds of a phase before its fault: two scrapes, so that no count falls between two phases' windows."""
_CHAOS_ENDS: Final = 45.0
_AT_ONCE: Final = 2
"""Somebody who asks so often does not want to wait for the experiment to end by itself."""
_AHEAD: Final = 0.5
"""Seconds from telling the load to stop to its last request: several ticks, so that it has surely heard."""


HALT: Final = "halt"
"""What stands for a signal where a run was broken off by its own rule or by somebody's button."""


@dataclass(slots=True)
class Stop:
    """What people say to a run, from a signal handler or another thread; the loop looks at it every tick."""

    signal: str | None = None
    asked: int = 0
    """How often."""
    why: str = ""
    notes: deque[tuple[str, str]] = field(default_factory=deque)
    """(who, what) to be written into the record."""

    def halt(self, why: str) -> None:
        """Ask once more for the run to be broken off and its faults undone."""
        self.signal, self.asked = self.signal or HALT, self.asked + 1
        self.why = self.why or why


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """One look at a run in progress, for a person watching."""

    t: float
    phase: str
    left: float
    total_left: float
    pulse: Pulse
    fault: str = ""
    note: str = ""
    """The newest thing worth a line of its own."""
    limit: float = 0.1
    """Seconds by which the client may be late before the run proves nothing."""
    burns: tuple[Burn, ...] = ()
    """How fast the budgets are spent that may halt the run."""
    broken: tuple[str, ...] = ()
    """Faults that may be there now."""


class RunningChaos(Protocol):
    """An experiment being played."""

    @property
    def error(self) -> str:
        """Why its method was not played whole, or empty."""

    @property
    def left(self) -> str:
        """Which rollbacks failed, or empty."""

    def alive(self) -> bool:
        """Whether it still runs."""

    def abort(self) -> None:
        """Stop and play the rollbacks."""

    def journal(self) -> Mapping[str, Any]:
        """The toolkit's journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything of the outside world that a run touches."""

    driver: Driver
    ledger: Ledger
    striker: Striker
    start_load: Callable[[float, Path], LoadProcess]
    """(time zero on the monotonic clock, run folder) -> the generator."""
    start_chaos: Callable[[Experiment], RunningChaos]
    take_metrics: Callable[[Scenario, Anchor], Metrics]
    """(the scenario as it was played, time zero) -> what the second witness counted."""
    take_alerts: Callable[[float, float], list[str]]
    """(since, until) in unix seconds -> receiver lines."""
    watch: Callable[[Glimpse], None]


@dataclass(slots=True)
class Run:
    """One scenario being played into one folder."""

    scenario: Scenario
    """With the times of its phases as far as they are known: a phase that ends early moves the later ones."""
    ports: Ports
    record: store.Recorder
    anchor: Anchor
    clock: Clock
    stop: Stop
    dues: Sequence[float]
    """When each request that the plan offers is due; the generator must have planned as many."""
    tail: Tail = field(init=False)
    looks: early.Looks = field(default_factory=early.Looks)
    edges: list[float] = field(default_factory=list)
    """Start and end of each phase, as written down."""
    faults: list[Event] = field(default_factory=list)
    chaos: dict[str, RunningChaos] = field(default_factory=dict)
    copied: int = 0
    fault: str = ""
    note: str = ""
    told: tuple[str, ...] = ()
    """What settled the phase that is being played, when it ends early."""
    burns: tuple[Burn, ...] = ()

    def __post_init__(self) -> None:
        back = max((halt.over for halt in self.scenario.halts), default=0.0)
        self.tail = Tail(self.record.folder / LINES, keeps=self.scenario.stop == "early", back=back)

    def play(self) -> None:
        """Run to the end and seal. What goes wrong on the way is an event, so that the judgement can say so.

        Raises InfrastructureError when the record itself cannot be kept.
        """
        try:
            load = self.ports.start_load(self.anchor.monotonic, self.record.folder)
            try:
                self._play(load)
            finally:
                load.stop(5)
                self._put_right()
            self._close()
        except OSError as error:
            raise InfrastructureError(f"the run could not be recorded: {error}", hint="is the disk full?") from error

    def _play(self, load: LoadProcess) -> None:
        self.record.event("load", step="started", pid=load.process.pid, expected=len(self.dues))
        try:
            self._wait_for_load(load)
            for phase in self.scenario.phases:
                self._phase(phase.name, load)
            self._wait(self.scenario.length + self.scenario.load.timeout + 5, load, until=lambda: not load.alive())
            self.record.event("load", step="ended", code=load.exit_code())
        except HoldfastError as error:
            self.record.event("failed", detail=str(error))

    def _wait_for_load(self, load: LoadProcess) -> None:
        self._wait(LEAD, load, until=lambda: self.tail.started)
        if self.stop.signal:
            return
        if not self.tail.started:
            said = load.last_words()
            raise InfrastructureError(f"the load generator did not start:\n{said}", hint=f"see {load.log}")
        self.record.event("load", step="ready", planned=self.tail.planned)
        self._wait(0.0, load)

    def _phase(self, name: str, load: LoadProcess) -> None:
        if self.stop.signal:
            return
        phase, self.told = self.scenario.phase(name), ()
        self._edge(name, "start")
        if phase.chaos:
            self._wait(min(phase.start + _CLEAN, phase.end), load)
            self._strike(phase)
        self._until_the_end_is_known(phase, load)
        self._wait(self.scenario.phase(name).end, load)
        if not self.stop.signal:
            self._edge(name, "end", **({"early": True, "settled": list(self.told)} if self.told else {}))

    def _edge(self, name: str, edge: str, **more: object) -> None:
        at = round(self.record.now(), 6)
        self.edges.append(at)
        self.record.event("phase", at=at, name=name, edge=edge, **more)

    def _strike(self, phase: Phase) -> None:
        if phase.chaos and not self.stop.signal:
            self.chaos[phase.name] = self.ports.start_chaos(self.scenario.experiments[phase.chaos])

    def _until_the_end_is_known(self, phase: Phase, load: LoadProcess) -> None:
        """In a scenario that may stop early: play until it is clear when the phase ends; the load ends with the last.

        A phase with another one behind it ends at once. The last one ends a little later, for the load to hear of it.
        """
        if self.scenario.stop != "early":
            return
        ahead = _AHEAD if phase.name == self.scenario.phases[-1].name else 0.0
        self._wait(phase.end - ahead, load, until=lambda: self._look(phase))
        if self.stop.signal:
            return
        end = math.ceil((self.record.now() + ahead) / TICK) * TICK if ahead else self.record.now()
        if self.told and end < phase.end:
            self.scenario = self.scenario.ending(phase.name, round(end, 6))
            lasted, planned = show_duration(round(end - phase.start, 1)), show_duration(phase.longest)
            self.note = f"{phase.name} ends after {lasted} of {planned}: settled {', '.join(self.told)}"
        else:
            self.told = ()
        if ahead and any(one.length < one.longest for one in self.scenario.phases):
            self._cut(self.scenario.length)

    def _cut(self, until: float) -> None:
        expected = sum(1 for due in self.dues if due < until)
        self.record.event("load", step="cut", until=until, expected=expected)
        cut.tell(self.record.folder / LINES, until)

    def _look(self, phase: Phase) -> bool:
        """Whether a phase may end now. Asked every tick, so all that is cheap comes first."""
        known, now = self.tail.known, self.record.now()
        if not phase.may_end_early or known.until < phase.start + SHORTEST:
            return False
        if any(one.alive() for one in self.chaos.values()) or not self.looks.due(now, len(known)):
            return False
        self.told = early.settled(self._so_far(now), phase)
        return bool(self.told)

    def _so_far(self, now: float) -> Timeline:
        """What is known for sure at second `now`; the witnesses on the platform's side are asked at the end."""
        return Timeline(
            run=self.record.folder.name,
            scenario=self.scenario,
            anchor=self.anchor,
            events=(*self.faults, Event(t=now, kind="look")),
            load=LoadRecord(
                planned=self.tail.planned,
                requests=self.tail.known.table(),
                beats=table([], BEAT_COLUMNS),
                ended=False,
            ),
            metrics=Metrics(trouble="not asked yet"),
            alerts=(),
        )

    def _wait(self, end: float, load: LoadProcess, until: Callable[[], bool] = lambda: False) -> None:
        """Tick until the run's second `end`, or until something else happened, or until somebody says stop."""
        while self.record.now() < end and not until() and not self.stop.signal:
            self._tick()
            if not load.alive() and not self.tail.ended and self.record.now() < self.scenario.length:
                said = load.last_words()
                raise InfrastructureError(f"the load generator stopped early:\n{said}", hint=f"see {load.log}")
            self.clock.sleep(min(TICK, max(0.0, end - self.record.now())))
        self._tick()

    def _tick(self) -> None:
        self.tail.look()
        self._copy_ledger()
        self._write_notes()
        now, pulse = self.record.now(), self.tail.pulse()
        self._halt_if_burning(now)
        current = next((phase for phase in self.scenario.phases if phase.start <= now < phase.end), None)
        name = current.name if current else ("starting" if now < 0 else "draining")
        self.ports.watch(
            Glimpse(
                t=now,
                phase=name,
                left=current.end - now if current else 0.0,
                total_left=max(0.0, self.scenario.length - now),
                pulse=pulse,
                fault=self.fault,
                note=self.note,
                limit=allowed_lateness(self.scenario, pulse.ttft),
                burns=self.burns,
                broken=self._broken(),
            )
        )

    def _halt_if_burning(self, now: float) -> None:
        if not self.scenario.halts or not 0 <= now < self.scenario.length or self.stop.signal:
            return
        self.burns = burns(self.tail.recent, self.scenario.halts, now)
        if why := why_halt(self.burns, self.dues[0] if self.dues else 0.0, now):
            self.record.event("halt", detail=why)
            self.note = f"halted: {why}"
            self.stop.halt(why)

    def _write_notes(self) -> None:
        while self.stop.notes:
            who, what = self.stop.notes.popleft()
            self.record.event("note", by=who, text=what)

    def _broken(self) -> tuple[str, ...]:
        last = {event.data["id"]: event for event in self.faults}
        return tuple(
            f"{one.data['fault']} of {one.data['target']} since second {one.t:.0f}: {one.data['step']}"
            for one in last.values()
            if one.data["step"] not in OVER
        )

    def _copy_ledger(self) -> None:
        """Bring what the faults wrote down into the run's own record, at the time they wrote it."""
        mine = [entry for entry in self.ports.ledger.entries() if entry.run == self.record.folder.name]
        for entry in mine[self.copied :]:
            at = entry.monotonic - self.anchor.monotonic
            told = {
                "phase": self._phase_of(at),
                "fault": entry.fault,
                "step": entry.step,
                "target": entry.name,
                "unit": entry.unit,
                "id": entry.id,
                "detail": entry.detail,
            }
            self.record.event("fault", at=at, **told)
            self.faults.append(Event(t=at, kind="fault", data=told))
            self.fault = f"{entry.fault} {entry.name}: {entry.step}"
        self.copied = len(mine)

    def _phase_of(self, t: float) -> str:
        started = [phase.name for phase in self.scenario.phases if phase.chaos and phase.start <= t]
        return started[-1] if started else ""

    def _put_right(self) -> None:
        """Undo whatever is still broken, newest first, and see every role ready."""
        for chaos in self.chaos.values():
            if self.stop.signal:
                chaos.abort()
            deadline = self.clock.monotonic() + _CHAOS_ENDS
            while chaos.alive() and self.clock.monotonic() < deadline and self.stop.asked < _AT_ONCE:
                self.clock.sleep(TICK)
        for entry in self.ports.ledger.open_faults(self.record.folder.name):
            try:
                self.ports.striker.restore(entry)
            except HoldfastError as error:
                self.record.event("failed", detail=str(error))

    def _close(self) -> None:
        """Take what the platform knows, and seal."""
        self._copy_ledger()
        self._write_notes()
        if self.stop.signal:
            name = f"{self.stop.signal}: {self.stop.why}" if self.stop.why else self.stop.signal
            self.record.event("interrupted", signal=name)
        self._look_whether_restored()
        self._collect()
        for name, chaos in self.chaos.items():
            status = chaos.journal().get("status", "")
            self.record.event("chaos", phase=name, status=status, detail=chaos.error, left=chaos.left)
            store.write_whole(self.record.folder / f"journal-{name}.json", _as_json(chaos.journal()))
        self.record.event("end", complete=self.stop.signal is None, wall=self.clock.wall())
        to_parquet(self.record.folder)
        store.seal(self.record.folder)

    def _look_whether_restored(self) -> None:
        """Write down which replicas are not ready, and whether one of them has a role that this run struck."""
        deadline = self.clock.monotonic() + (0 if self.stop.signal else 10)
        try:
            while (missing := self._missing()) and self.clock.monotonic() < deadline:
                self.clock.sleep(TICK)
        except HoldfastError as error:
            self.record.event("restored", ok=False, ours=True, detail=str(error))
            return
        struck = {entry.role for entry in self.ports.ledger.entries() if entry.run == self.record.folder.name}
        ours = any(one.role in struck for one in missing)
        self.record.event("restored", ok=not missing, ours=ours, detail=", ".join(one.name for one in missing))

    def _missing(self) -> list[Identity]:
        driver = self.ports.driver
        replicas = [one for role in driver.roles() for one in driver.replicas(role)]
        return [one.identity for one in replicas if not one.ready]

    def _collect(self) -> None:
        if self.scenario.stop == "early":
            self.scenario = self.scenario.as_played(list(zip(self.edges[::2], self.edges[1::2], strict=False)))
        self.clock.sleep(max(0.0, min(self.scenario.length, self.record.now()) + SETTLE - self.record.now()))
        metrics = self.ports.take_metrics(self.scenario, self.anchor)
        self.record.event("collected", source="prometheus", ok=not metrics.trouble, detail=metrics.trouble)
        store.write_json(self.record.folder / store.METRICS, metrics_as_json(metrics))
        try:
            lines = self.ports.take_alerts(self.anchor.wall - LEAD, self.clock.wall())
        except OSError as error:
            self.record.event("collected", source="alerts", ok=False, detail=str(error))
            return
        self.record.event("collected", source="alerts", ok=True, detail=f"{len(lines)} notifications")
        store.write_whole(self.record.folder / store.ALERTS, "".join(f"{line}\n" for line in lines))


def _as_json(value: object) -> str:
    import json  # noqa: PLC0415

    return json.dumps(value, indent=2, default=str) + "\n"


def begin(clock: Clock, lead: float = LEAD) -> Anchor:
    """Time zero, `lead` seconds ahead of now, on both clocks."""
    monotonic, wall = clock.monotonic(), clock.wall()
    return Anchor(monotonic=monotonic + lead, wall=math.fsum((wall, lead)))
