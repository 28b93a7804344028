"""A harness in small: the run's own loop and the real Chaos Toolkit over a platform of `sleep` processes; no load."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.chaos import activities
from holdfast.chaos.ledger import Ledger
from holdfast.chaos.strike import Striker, Unguarded
from holdfast.chaos.toolkit import RunningExperiment
from holdfast.clock import VirtualClock
from holdfast.errors import TargetError
from holdfast.model.platform import Endpoints, Identity, Replica
from holdfast.model.scenario import Experiment
from holdfast.model.timeline import Event, Metrics
from holdfast.run import Ports, Run, Stop
from holdfast.store import folder as store
from holdfast.testing import ANCHOR, a_place, a_scenario, a_timeline, some_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from holdfast.model.scenario import Scenario
    from holdfast.model.timeline import Timeline

STRUCK = 31.0
"""Second of the run at which the experiment starts: a second into the phase `fault` of the default story."""
ENGINES = ("engine-1", "engine-2", "engine-3", "store-1")


class Brisk(VirtualClock):
    """Virtual seconds that let other threads run: a wait of 45 s takes one."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        threading.Event().wait(0.002)


@dataclass
class Sleepers:
    """Replicas that are `sleep` processes; without `mends` nothing comes back."""

    folder: Path
    mends: bool = True
    name: str = "sleepers"
    address: str = ""
    allowed: frozenset[str] = frozenset({"engine"})
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ENGINES:
            self.start(name)

    def start(self, name: str) -> None:
        self.running[name] = subprocess.Popen(["sleep", "60"])

    def roles(self) -> tuple[str, ...]:
        return ("engine", "store")

    def endpoints(self) -> Endpoints:
        return Endpoints(gateway="", prometheus="", alerts="", api_key="")

    def ledger(self) -> Path:
        return self.folder / "faults.ndjson"

    def fingerprint(self) -> str:
        return "sleepers"

    def replicas(self, role: str) -> tuple[Replica, ...]:
        mine = [(name, one) for name, one in sorted(self.running.items()) if name.startswith(role)]
        return tuple(
            Replica(
                identity=Identity(name=name, role=role, unit=str(one.pid)),
                running=one.poll() is None,
                ready=one.poll() is None,
            )
            for name, one in mine
        )

    def alive(self, identity: Identity) -> bool:
        one = self.running[identity.name]
        return str(one.pid) == identity.unit and one.poll() is None

    def kill(self, identity: Identity) -> None:
        if not self.alive(identity):
            raise TargetError(f"{identity.name} is no longer what it was")
        self.running[identity.name].kill()
        self.running[identity.name].wait(5)

    def restore(self, role: str) -> None:
        for name, one in list(self.running.items()):
            if self.mends and name.startswith(role) and one.poll() is not None:
                self.start(name)

    def end(self) -> None:
        for one in self.running.values():
            one.kill()
            one.wait(5)


@dataclass
class Rig:
    """Plays one experiment into one run folder and gives the whole record, its load from the default story."""

    folder: Path
    platform: Sleepers
    stop: Stop = field(default_factory=Stop)
    clock: Brisk = field(default_factory=lambda: Brisk(now=ANCHOR.monotonic + STRUCK, epoch=ANCHOR.wall - 1000.0))
    journal: dict[str, Any] = field(default_factory=dict)
    chaos: RunningExperiment | None = None

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.platform.ledger(), self.clock)

    def steps(self) -> list[str]:
        return [entry.step for entry in self.ledger.entries()]

    def play(self, document: dict[str, Any], during: Callable[[], None] | None = None, **story: Any) -> Timeline:
        """Strike, let it end or do something `during` it, put right, close; then the record as it was written down."""
        run = self.begin(document)
        with found_by_activities(self.platform, self.clock):
            run._strike(run.scenario.phase("fault"))
            if during:
                during()
            else:
                assert self.chaos.wait(20)
            run._put_right()
            run._close()
            self.journal = self.chaos.journal()
        return self.timeline(**story)

    def begin(self, document: dict[str, Any]) -> Run:
        self.folder.mkdir(parents=True, exist_ok=True)
        striker = Striker(driver=self.platform, ledger=self.ledger, clock=self.clock, run=self.folder.name, seed=7)
        ports = Ports(
            driver=self.platform,
            ledger=self.ledger,
            striker=striker,
            start_load=None,
            start_chaos=self._start_chaos,
            take_metrics=lambda *_: Metrics(),
            take_alerts=lambda *_: [],
            watch=lambda _: None,
        )
        recorder = store.Recorder(self.folder, self.clock, ANCHOR.monotonic)
        return Run(scenario_of(document), ports, recorder, ANCHOR, self.clock, self.stop, ())

    def _start_chaos(self, experiment: Experiment) -> RunningExperiment:
        configuration = {"holdfast_state": "", "holdfast_run": self.folder.name, "holdfast_seed": 7}
        let_go = partial(self.ledger.leases.revoke, self.folder.name)
        self.chaos = RunningExperiment(experiment.document, configuration, let_go).start()
        return self.chaos

    def timeline(self, **story: Any) -> Timeline:
        """What the folder says happened to platform and harness, and the default story's load beside it."""
        lines = (self.folder / store.EVENTS).read_text(encoding="utf-8").splitlines()
        told = tuple(_event(json.loads(line)) for line in lines)
        whole = a_timeline(faults=[one for one in told if one.kind == "fault"], **story)
        around = some_events(whole.scenario, expected=whole.load.planned, complete=False)
        events = tuple(sorted((*around, *told), key=lambda one: one.t))
        return a_timeline(faults=[one for one in told if one.kind == "fault"], changes={"events": events}, **story)


def _event(line: dict[str, Any]) -> Event:
    return Event(t=line.pop("t"), kind=line.pop("kind"), data=line)


def scenario_of(document: dict[str, Any]) -> Scenario:
    """The default story's scenario with this experiment in it."""
    experiment = Experiment(
        name="engine-kill", title="engine-kill", document=document, roles=("engine",), where=a_place(1)
    )
    return a_scenario(experiments={"engine-kill": experiment})


@contextmanager
def found_by_activities(platform: Sleepers, clock: VirtualClock) -> Iterator[None]:
    """Documents name activities by import, so platform and clock are put where those look for them."""
    before = activities.connect, activities.SystemClock, activities.watch_of
    activities.connect, activities.SystemClock = (lambda _: platform), (lambda: clock)
    activities.watch_of = lambda *_: Unguarded()  # no other process could find this platform
    try:
        yield
    finally:
        activities.connect, activities.SystemClock, activities.watch_of = before


def action(func: str, module: str = "acts", **arguments: Any) -> dict[str, Any]:
    """One activity of an experiment."""
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": "action", "name": func, "provider": provider}


def probe(func: str, **arguments: Any) -> dict[str, Any]:
    """One that must answer true."""
    return {**action(func, **arguments), "type": "probe", "tolerance": True}


def strike(**changes: Any) -> dict[str, Any]:
    """Kill one engine."""
    return action("strike", "holdfast.chaos.activities", **{"fault": "kill", "role": "engine", "count": 1, **changes})


def restore(**changes: Any) -> dict[str, Any]:
    """And have it back."""
    return action("restore", "holdfast.chaos.activities", **{"fault": "kill", "role": "engine", **changes})


def experiment(*method: dict[str, Any], rollbacks: tuple | None = None, **more: Any) -> dict[str, Any]:
    """A document; its rollbacks restore what was struck unless others are given."""
    words = {"version": "1.0.0", "title": "an experiment", "description": "of a test"}
    undo = [restore()] if rollbacks is None else list(rollbacks)
    return {**words, "method": list(method), "rollbacks": undo, **more}


def hypothesis(*probes: dict[str, Any]) -> dict[str, Any]:
    """As the keyword of `experiment`."""
    return {"steady-state-hypothesis": {"title": "all is well", "probes": list(probes)}}


def ended_by(number: signal.Signals, folder: Path) -> Timeline:
    """The record of a harness, a real process, that one signal ended while its fault was there."""
    script = "import sys, rig; rig.strike_and_wait(rig.Path(sys.argv[1]))"
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    harness = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    try:
        assert harness.stdout.readline() == "struck\n"
        harness.send_signal(number)
        assert harness.wait(20) == -number
    finally:
        os.killpg(harness.pid, signal.SIGKILL)  # the harness, and the `sleep`s that it left behind
        harness.stdout.close()
    return Rig(folder / "run", platform=None).timeline()


def strike_and_wait(folder: Path) -> None:
    """What that process does: an experiment that has struck and goes on for long."""
    rig = Rig(folder / "run", Sleepers(folder))
    run = rig.begin(experiment(strike(), action("waits_for", path=str(folder / "never"))))
    with found_by_activities(rig.platform, rig.clock):
        run._strike(run.scenario.phase("fault"))
        while "observed" not in rig.steps():
            rig.clock.sleep(0.1)
        run._copy_ledger()
        print("struck", flush=True)
        signal.pause()
