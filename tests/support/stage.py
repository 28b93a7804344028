"""A whole run in virtual time: the real loop, record and judgement around a load that is written down, not offered.

The load behaves as the generator does: it writes one line when a request has ended, hears when it is told to stop, and
ends when all is drained. How each request goes is the test's to say.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from holdfast.chaos.ledger import Ledger
from holdfast.chaos.strike import Striker
from holdfast.clock import VirtualClock
from holdfast.load import cut
from holdfast.model.load import Arrival, schedule
from holdfast.model.platform import Endpoints, Identity
from holdfast.model.timeline import Metrics
from holdfast.run import Glimpse, Ports, Run, Stop, begin
from holdfast.store import folder as store
from holdfast.store.load import LINES
from holdfast.store.reading import read_timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from holdfast.clock import Anchor
    from holdfast.model.scenario import Scenario
    from holdfast.model.timeline import Timeline

    Story = Callable[[Arrival], Mapping[str, Any]]


def good(arrival: Arrival) -> dict[str, Any]:
    """First token after 0.1 s, the end 0.4 s later."""
    return {"outcome": "ok", "first": arrival.due + 0.1, "done": arrival.due + 0.5, "tokens": arrival.answer_tokens}


def bad(arrival: Arrival) -> dict[str, Any]:
    """Refused at once."""
    return {"outcome": "http_error", "first": None, "done": arrival.due + 0.05, "tokens": 0}


@dataclass
class PaperLoad:
    """Stands where the generator process stands; the clock's every step calls `catch_up`."""

    folder: Path
    zero: float
    length: float
    arrivals: tuple[Arrival, ...]
    story: Story
    ended: bool = False
    deaf: bool = False
    _todo: list[tuple[float, int]] = field(default_factory=list)
    _beat: float = 0.0

    def __post_init__(self) -> None:
        self.process = self  # asked for its pid only
        self.pid, self.log = os.getpid(), self.folder / "load.log"
        self.log.write_text("", encoding="utf-8")
        self._todo = sorted((self._line(number)["done"], number) for number in range(len(self.arrivals)))
        self._write({"kind": "start", "planned": len(self.arrivals)})

    def catch_up(self, now: float) -> None:
        """Write whatever happened until the monotonic second `now`."""
        t, until = now - self.zero, self.length if self.deaf else min(self.length, self._ears().until())
        while not self.ended and self._beat <= t:
            numbers = {"lag": 0.001, "cpu": 0.1, "in_flight": 0, "offered": 0, "sent": 0}
            self._write({"kind": "beat", "t": self._beat, **numbers})
            self._beat += 0.25
        while self._todo and self._todo[0][0] <= t:
            _, number = self._todo.pop(0)
            if self.arrivals[number].due < until:
                self._write(self._line(number))
        under_way = any(self.arrivals[number].due < until for _, number in self._todo)
        if t >= until and not under_way and not self.ended:
            self.ended = True
            self._write({"kind": "end", "dropped": 0})

    def alive(self) -> bool:
        return not self.ended

    def exit_code(self) -> int | None:
        return 0 if self.ended else None

    def stop(self, seconds: float) -> None:
        self.ended = True

    def last_words(self) -> str:
        return ""

    def _ears(self) -> cut.Ears:
        return cut.Ears(cut.place(self.folder / LINES))

    def _line(self, number: int) -> dict[str, Any]:
        one = self.arrivals[number]
        told = {"sent": one.due + 0.001, "status": 200, "error": "", "max_gap": 0.01, "model": "sim", **self.story(one)}
        asked = {"prompt_tokens": one.prompt_tokens, "asked_tokens": one.answer_tokens}
        return {"kind": "request", "id": number, "due": one.due, "last": told["done"], **asked, **told}

    def _write(self, line: Mapping[str, Any]) -> None:
        with (self.folder / LINES).open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")


class Stepping(VirtualClock):
    """Virtual seconds that call whatever moves with them; like real ones they never stand still."""

    def sleep(self, seconds: float) -> None:
        super().sleep(max(1e-6, seconds))
        for step in getattr(self, "steps", ()):
            step(self.now)


@dataclass
class Struck:
    """An experiment as the run sees it: on the ledger at once, over and seen gone after `lasts` seconds."""

    ledger: Ledger
    run: str
    clock: VirtualClock
    lasts: float = 5.0

    def __post_init__(self) -> None:
        self.ends, self.error, self.left, self.closed = self.clock.now + self.lasts, "", "", False
        self._note("asked", "applied", "observed")

    def alive(self) -> bool:
        if self.clock.now >= self.ends and not self.closed:
            self.closed = True
            self._note("undone", "gone")
        return not self.closed

    def abort(self) -> None:
        self.ends = self.clock.now

    def journal(self) -> dict[str, Any]:
        return {"status": "completed"}

    def _note(self, *steps: str) -> None:
        target = Identity(name="engine-2", role="engine", unit="7")
        for step in steps:
            self.ledger.write(id="kill-1", run=self.run, fault="kill", step=step, target=target)


class NoReplicas:
    """A platform of which a run need know nothing."""

    def roles(self) -> tuple[str, ...]:
        return ()

    def endpoints(self) -> Endpoints:
        return Endpoints(gateway="", prometheus="", alerts="", api_key="")


@dataclass
class Stage:
    """Plays one scenario into one folder, in no time."""

    folder: Path
    scenario: Scenario
    story: Story = good
    clock: Stepping = field(default_factory=Stepping)
    stop: Stop = field(default_factory=Stop)
    seen: list[Glimpse] = field(default_factory=list)
    deaf: bool = False
    lasts: float = 5.0
    metrics_of: Scenario | None = None
    seen_by: Callable[[Glimpse], None] | None = None

    def play(self) -> Timeline:
        """The record, as whoever judges reads it."""
        self.folder.mkdir(parents=True)
        self.anchor = begin(self.clock)
        manifest = {
            "scenario_file": self.scenario.where.file,
            "zero": {"monotonic": self.anchor.monotonic, "wall": self.anchor.wall},
        }
        store.write_json(self.folder / store.MANIFEST, manifest)
        store.keep_specs(self.folder, self.scenario)
        self.arrivals = schedule(self.scenario.load, seed=self.scenario.seed, length=self.scenario.length)
        recorder = store.Recorder(self.folder, self.clock, self.anchor.monotonic)
        dues = [one.due for one in self.arrivals]
        Run(self.scenario, self._ports(), recorder, self.anchor, self.clock, self.stop, dues).play()
        return read_timeline(self.folder)

    def _ports(self) -> Ports:
        ledger = Ledger(self.folder.parent / "faults.ndjson", self.clock)
        platform: Any = NoReplicas()
        striker = Striker(driver=platform, ledger=ledger, clock=self.clock, run=self.folder.name, seed=7)
        return Ports(
            driver=platform,
            ledger=ledger,
            striker=striker,
            start_load=self._start_load,
            start_chaos=lambda _: self._start_chaos(ledger),
            take_metrics=self._take_metrics,
            take_alerts=lambda *_: [],
            watch=self.seen_by or self.seen.append,
        )

    def _start_load(self, zero: float, folder: Path) -> Any:
        load = PaperLoad(folder, zero, self.scenario.length, self.arrivals, self.story, deaf=self.deaf)
        self.clock.steps = [load.catch_up]
        return load

    def _start_chaos(self, ledger: Ledger) -> Struck:
        struck = Struck(ledger, self.folder.name, self.clock, self.lasts)
        self.clock.steps.append(lambda _: struck.alive())
        return struck

    def _take_metrics(self, scenario: Scenario, anchor: Anchor) -> Metrics:
        self.metrics_of = scenario
        return Metrics(trouble="nobody is there")
