"""Load without a scenario: the run's own loop against an address, kept as any run is, and what it came to."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from holdfast import trust
from holdfast.chaos import ledger
from holdfast.chaos.strike import Striker
from holdfast.definitions import words
from holdfast.definitions.summary import NO_BOUNDS, Summary, summarize
from holdfast.definitions.tools import find
from holdfast.errors import InfrastructureError, Location, TargetError, UsageError
from holdfast.load import process
from holdfast.load.command import command
from holdfast.load.planned import planned
from holdfast.loadtest.asked import bare, check_address, profile_file
from holdfast.loadtest.compare import ASKED
from holdfast.loadtest.exchange import Seen, streams_in
from holdfast.model.platform import Endpoints
from holdfast.model.scenario import Phase, Scenario
from holdfast.model.timeline import Metrics
from holdfast.model.verdict import State
from holdfast.run import Ports, Run, begin
from holdfast.spec.options import show_seconds
from holdfast.spec.profile import read_profile
from holdfast.store import folder as store
from holdfast.store.load import LINES
from holdfast.store.reading import read_timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from holdfast.clock import Anchor, Clock
    from holdfast.load.process import LoadProcess
    from holdfast.model.platform import Hand, Identity, Replica
    from holdfast.model.scenario import Experiment
    from holdfast.model.stream import Stream
    from holdfast.model.timeline import Timeline
    from holdfast.run import Glimpse, RunningChaos, Stop

SCHEMA: Final = "holdfast/load-run/v1"
FILE: Final = "scenarios/load.yaml"
"""Where the run folder keeps what was played, in the words of a scenario that asks nothing."""
WARMUP: Final = "warmup"
LOAD: Final = "load"
TOOL: Final = "holdfast"
_LEAD: Final = 5.0
"""Seconds for the generator to start in, also on a busy machine: one that starts late offers its first load late."""
_SHORTEST: Final = 1.0
_NO_NAME: Final = r"[^-A-Za-z0-9_.]"
_NO_PLATFORM: Final = "load without a scenario: no platform was asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to offer to whom; times in seconds."""

    root: Path
    runs: Path
    profile: str
    host: str
    length: float = 60.0
    warmup: float = 5.0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of it. Numbers are of the phase after the warmup; `troubles` say why the load proves nothing."""

    folder: Path
    host: str
    scenario: Scenario
    seconds: float
    """How long requests that count were offered; shorter than asked for where the run was interrupted."""
    sent: int
    outcomes: Mapping[str, int]
    summary: Summary
    troubles: tuple[str, ...]
    interrupted: str = ""

    @property
    def valid(self) -> bool:
        """Whether the load was offered whole and on time. How the server answered is another question."""
        return not self.troubles

    @property
    def rate(self) -> float | None:
        """Requests sent a second; None where no time passed."""
        return self.sent / self.seconds if self.seconds else None

    @property
    def failed(self) -> Mapping[str, int]:
        """Failures by class."""
        return {outcome: count for outcome, count in self.outcomes.items() if outcome != "ok"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A platform of which nothing is known but where it answers: it has no roles, so nothing in it can be struck."""

    host: str
    folder: Path
    name: str = "address"
    allowed: frozenset[str] = field(default=frozenset())

    def endpoints(self) -> Endpoints:
        """Only its own."""
        return Endpoints(gateway=self.host, prometheus="", alerts="", api_key="")

    @property
    def address(self) -> str:
        """Itself."""
        return self.host

    def ledger(self) -> Path:
        """Of no fault, ever; the file is not made."""
        return self.folder / "faults.ndjson"

    def fingerprint(self) -> str:
        """The address is all there is."""
        return self.host

    def hand(self, kind: type[Hand]) -> Hand:
        """None."""
        raise TargetError(f"nothing can be struck at a bare address: no {kind.__name__.lower()}")

    def roles(self) -> tuple[str, ...]:
        """None."""
        return ()

    def replicas(self, role: str) -> tuple[Replica, ...]:  # noqa: ARG002 - a driver's verb
        """None."""
        return ()

    def alive(self, identity: Identity) -> bool:  # noqa: ARG002 - a driver's verb
        """No incarnation of anything is known here."""
        return False

    def kill(self, identity: Identity) -> None:
        """Always raises TargetError."""
        raise TargetError(f"{identity.name} is not on the allow-list of a bare address")

    def restore(self, role: str) -> None:
        """Nothing was taken away."""

    def describe(self) -> Mapping[str, str]:
        """The address."""
        return {"driver": self.name, "host": self.host}


def prepare(wanted: Wanted) -> Scenario:
    """What will be played, refused before anything is started.

    Raises UsageError for what was asked wrongly, SpecError for what is wrong in the profile or a file that it names.
    """
    check_address(wanted.host)
    if not wanted.length >= _SHORTEST or not (wanted.warmup == 0 or wanted.warmup >= _SHORTEST):
        raise UsageError(
            "load lasts at least 1s, and so does a warmup", hint="--for 60s --warmup 5s; --warmup 0s is none"
        )
    name, text = profile_file(wanted.root, wanted.profile)
    scenario = _scenario(wanted, bare(wanted.profile), name, text)
    planned(scenario.load, seed=wanted.seed, length=scenario.length, root=wanted.root)
    return scenario


def _scenario(wanted: Wanted, profile: str, name: str, text: str) -> Scenario:
    lengths = [(WARMUP, wanted.warmup, False)] * (wanted.warmup > 0) + [(LOAD, wanted.length, True)]
    phases, start = [], 0.0
    for phase, length, judged in lengths:
        phases.append(Phase(name=phase, start=start, end=start + length, judged=judged))
        start += length
    known_as, title = f"load-{re.sub(_NO_NAME, '-', profile)}", f"{profile} against {wanted.host}"
    kept = [
        *("apiVersion: holdfast/v1", "kind: Load", f"metadata: {{name: {known_as}, title: {_quoted(title)}}}"),
        *(f"seed: {wanted.seed}", f"load: {_quoted(profile)}", "phases:"),
        *(f"  - {{name: {one.name}, for: {show_seconds(one.length)}, judged: {_yes(one.judged)}}}" for one in phases),
    ]
    return Scenario(
        name=known_as,
        title=title,
        seed=wanted.seed,
        load=read_profile(text, name),
        phases=tuple(phases),
        expect=(),
        files={FILE: "".join(f"{one}\n" for one in kept), name: text},
        where=Location(file=FILE, line=1, column=1),
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _yes(value: object) -> str:
    return "true" if value else "false"


def play(wanted: Wanted, scenario: Scenario, *, clock: Clock, stop: Stop, watch: Callable[[Glimpse], None]) -> Loaded:
    """Offer it, keep the record, say what it came to. Raises InfrastructureError when no record can be kept."""
    try:
        folder = store.new_folder(wanted.runs, scenario, clock)
        anchor = begin(clock, _LEAD)
        about = _manifest(wanted, scenario, anchor)
        store.write_json(folder / store.MANIFEST, {**about, "digests": store.keep_specs(folder, scenario)})
        store.point_latest(wanted.runs, folder)
    except OSError as error:
        raise InfrastructureError(f"no run folder could be made: {error}", hint="is the disk full?") from error
    recorder = store.Recorder(folder, clock, anchor.monotonic)
    dues = planned(scenario.load, seed=scenario.seed, length=scenario.length, root=wanted.root).arrivals.dues
    Run(scenario, _ports(wanted, scenario, folder, clock, watch), recorder, anchor, clock, stop, dues).play()
    return summed_up(folder, wanted.host, interrupted=stop.signal or "")


def _manifest(wanted: Wanted, scenario: Scenario, anchor: Anchor) -> dict[str, Any]:
    return {
        "schema": "holdfast/run/v1",
        "scenario": scenario.name,
        "scenario_file": FILE,
        "seed": scenario.seed,
        "zero": {"monotonic": anchor.monotonic, "wall": anchor.wall},
        "platform": {"driver": "address", "host": wanted.host},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("holdfast", "locust")}},
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "processor": platform.machine()},
    }


def _ports(wanted: Wanted, scenario: Scenario, folder: Path, clock: Clock, watch: Callable[[Glimpse], None]) -> Ports:
    driver = Address(host=wanted.host, folder=folder)
    book = ledger.of(driver, clock)

    def start_load(zero: float, into: Path) -> LoadProcess:
        arguments = command(
            scenario.load,
            locustfile=wanted.root / "loadtests" / "chat.py",
            host=wanted.host,
            records=into / LINES,
            seed=scenario.seed,
            length=scenario.length,
            epoch=zero,
            python=sys.executable,
        )
        return process.start(arguments, cwd=wanted.root, environment=os.environ, log=into / "load.log")

    return Ports(
        driver=driver,
        ledger=book,
        striker=Striker(driver=driver, ledger=book, clock=clock, run=folder.name, seed=scenario.seed),
        start_load=start_load,
        start_chaos=_no_chaos,
        take_metrics=lambda *_: Metrics(trouble=_NO_PLATFORM),
        take_alerts=lambda *_: [],
        watch=watch,
    )


def _no_chaos(experiment: Experiment) -> RunningChaos:
    raise TargetError(f"{experiment.name}: nothing can be struck at a bare address")


def summed_up(folder: Path, host: str, *, interrupted: str = "") -> Loaded:
    """What a run folder of `play` says, from the record alone."""
    timeline = read_timeline(folder)
    phase, seen = timeline.scenario.phase(LOAD), Seen()
    due = timeline.load.requests["due"]
    inside = timeline.load.requests[(due >= phase.start) & (due < phase.end)]
    # A generator that never started left no record to read.
    streams = () if due.empty else _judged(folder, phase, seen)
    summary = summarize(TOOL, find(TOOL), streams, NO_BOUNDS)
    return Loaded(
        folder=folder,
        host=host,
        scenario=timeline.scenario,
        seconds=_offered(timeline, phase),
        sent=int(inside["sent"].notna().sum()),
        outcomes=dict(sorted(seen.outcomes.items(), key=lambda item: (item[0] != "ok", -item[1], item[0]))),
        summary=summary,
        troubles=_troubles(timeline, seen),
        interrupted=interrupted,
    )


def _offered(timeline: Timeline, phase: Phase) -> float:
    stopped = timeline.first("interrupted")
    return max(0.0, min(phase.end, stopped.t if stopped else phase.end) - phase.start)


def _judged(folder: Path, phase: Phase, seen: Seen) -> Iterator[Stream]:
    for stream in streams_in(folder, Seen()):
        if phase.start <= stream.due < phase.end:
            seen.look(stream)
            yield stream


def _troubles(timeline: Timeline, seen: Seen) -> tuple[str, ...]:
    """Why this load is no evidence: checks of trust that speak of the load, and an empty record."""
    found = [
        f"{check.name}: {check.seen}"
        for check in trust.checks(timeline)
        if check.name in ASKED and check.state is not State.PASS
    ]
    return tuple(found or ([] if seen.outcomes else ["no request was due after the warmup"]))


def to_dict(loaded: Loaded) -> dict[str, Any]:
    """For machines: seconds, null for what is unknown, "+Inf" for what never came."""
    return {
        "schema": SCHEMA,
        "run": loaded.folder.name,
        "folder": str(loaded.folder),
        "host": loaded.host,
        "profile": loaded.scenario.load.name,
        "seed": loaded.scenario.seed,
        "seconds": loaded.seconds,
        "valid": loaded.valid,
        "troubles": list(loaded.troubles),
        "interrupted": loaded.interrupted or None,
        "sent": loaded.sent,
        "sent_per_second": loaded.rate,
        "outcomes": dict(loaded.outcomes),
        **{key: words.summary_as_dict(loaded.summary)[key] for key in ("requests", "failed", "figures")},
        "answered_per_second": loaded.summary.rates.requests,
        "tokens_per_second": loaded.summary.rates.tokens,
    }
