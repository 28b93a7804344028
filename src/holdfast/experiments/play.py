"""One experiment played by itself: guarded, told step by step, let go when somebody asks, never left behind.

Chaos Toolkit plays it and says what it makes of it; whether the fault bit and is gone is read in the ledger alone.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from holdfast.chaos import ledger
from holdfast.chaos.guard import watch_of
from holdfast.chaos.lease import LENGTH
from holdfast.chaos.strike import Striker
from holdfast.chaos.toolkit import RunningExperiment
from holdfast.errors import ExitCode, HoldfastError, InfrastructureError
from holdfast.experiments.alone import alone
from holdfast.experiments.standing import sweep
from holdfast.platforms.connect import meant
from holdfast.store import folder as store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.chaos.ledger import Entry, Ledger
    from holdfast.clock import Clock
    from holdfast.model.platform import Driver
    from holdfast.model.scenario import Experiment
    from holdfast.run import Stop

SCHEMA: Final = "holdfast/chaos-run/v1"
STEPS: Final = "steps.ndjson"
JOURNAL: Final = "journal.json"
_TICK: Final = 0.05
_BEGUN: Final = frozenset({"asked", "applied", "refused"})
_SPOILT: Final = frozenset({"astray", "lapsed", "forgotten"})
"""Steps after which a fault was not, all the while, what the experiment asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to play, on the platform in `state`; the record goes into a folder of its own in `runs`."""

    experiment: Experiment
    state: Path
    runs: Path
    seed: int = 0
    lease: float = LENGTH
    """Seconds that its faults may outlive this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of it: the steps as they were written down, what is still open, what the toolkit said."""

    experiment: str
    run: str
    folder: Path
    steps: tuple[Entry, ...]
    left: tuple[Entry, ...]
    """Faults that were not seen gone, newest first."""
    error: str
    """Why the method was not played whole."""
    failed_rollbacks: str
    deviated: bool
    """Whether the document's own steady state did not hold after the method."""
    signal: str

    @property
    def unseen(self) -> tuple[str, ...]:
        """Why it is not proved that each fault bit where it was to; empty when that was seen."""
        seen = {one.id for one in self.steps if one.step == "observed"}
        last = {one.id: one for one in self.steps if one.id not in seen and one.step in _BEGUN | {"unseen"}}
        missed = [f"{one.fault} of {one.name}: {one.step} {one.detail}".rstrip() for one in last.values()]
        spoilt = [one for one in self.steps if one.step in _SPOILT]
        missed += [f"{one.fault} of {one.name}: {one.step} {one.detail}".rstrip() for one in spoilt]
        return tuple(missed or ([] if seen else ["nothing was struck"]))

    @property
    def exit_code(self) -> ExitCode:
        """PASS only for an experiment played whole, each fault seen to bite and seen gone, the steady state kept."""
        if self.left or self.failed_rollbacks:
            return ExitCode.NOT_RESTORED
        if self.signal:
            return ExitCode.INTERRUPTED if self.signal == "SIGINT" else ExitCode.TERMINATED
        if self.unseen or self.error:
            return ExitCode.UNKNOWN
        return ExitCode.FAIL if self.deviated else ExitCode.PASS


def play(wanted: Wanted, *, clock: Clock, stop: Stop, heard: Callable[[Entry], None]) -> Played:
    """Play it, and tell each step as it happens. Asked to stop once, its faults are let go; twice, undone at once.

    Raises PlatformError when no platform is up, InfrastructureError when it is in use or no record can be kept,
    FaultStuckError when an earlier run left something that cannot be taken back.
    """
    driver = meant(wanted.state, wanted.experiment.driver)
    with alone(Path(driver.address)):
        folder = _folder(wanted, clock)
        book = ledger.of(driver, clock, wanted.lease)
        striker = Striker(driver=driver, ledger=book, clock=clock, run=folder.name, seed=wanted.seed)
        sweep(striker)
        guard, steps = watch_of(driver, book, folder.name), _Steps(book, folder, heard)
        guard.begin()
        try:
            chaos = _start(wanted, driver, book, folder.name)
            try:
                _follow(chaos, steps, clock, stop)
            finally:
                _put_right(striker)
        finally:
            guard.end()
        steps.tell()
        return _played(wanted, chaos, steps, stop)


def _folder(wanted: Wanted, clock: Clock) -> Path:
    stamp = datetime.fromtimestamp(clock.wall(), UTC).strftime("%Y%m%d-%H%M%S")
    folder = wanted.runs / f"chaos-{stamp}-{wanted.experiment.name}-{secrets.token_hex(2)}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InfrastructureError(f"no folder could be made: {error}", hint="is the disk full?") from error
    return folder


def _start(wanted: Wanted, driver: Driver, book: Ledger, run: str) -> RunningExperiment:
    configuration = {
        # Its own folder: whichever context is current later on, the rollbacks read the same ledger.
        "holdfast_state": driver.address,
        "holdfast_run": run,
        "holdfast_seed": wanted.seed,
        "holdfast_lease": wanted.lease,
        "holdfast_fingerprint": driver.fingerprint(),
    }
    let_go = partial(book.leases.revoke, run)
    return RunningExperiment(wanted.experiment.document, configuration, let_go).start()


class _Steps:
    """The ledger's steps of this run, each told and kept once."""

    def __init__(self, book: Ledger, folder: Path, heard: Callable[[Entry], None]) -> None:
        self.book, self.folder, self.heard = book, folder, heard
        self.told: list[Entry] = []

    def tell(self) -> None:
        """What is new since the last time."""
        mine = [entry for entry in self.book.entries() if entry.run == self.folder.name]
        for entry in mine[len(self.told) :]:
            self.told.append(entry)
            self.heard(entry)
            with (self.folder / STEPS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(entry)) + "\n")


def _follow(chaos: RunningExperiment, steps: _Steps, clock: Clock, stop: Stop) -> None:
    """Until it has ended by itself, or somebody asked twice to stop."""
    aborted = False
    while chaos.alive() and stop.asked < 2:  # noqa: PLR2004 - once lets go, twice does not wait either
        steps.tell()
        if stop.signal and not aborted:
            chaos.abort()
            aborted = True
        clock.sleep(_TICK)


def _put_right(striker: Striker) -> None:
    """Undo what no rollback has; what is stuck stays written down as such."""
    for entry in striker.ledger.open_faults(striker.run):
        try:
            striker.restore(entry)
        except HoldfastError:
            continue


def _played(wanted: Wanted, chaos: RunningExperiment, steps: _Steps, stop: Stop) -> Played:
    journal = chaos.journal()
    store.write_whole(steps.folder / JOURNAL, json.dumps(journal, indent=2, default=str) + "\n")
    return Played(
        experiment=wanted.experiment.name,
        run=steps.folder.name,
        folder=steps.folder,
        steps=tuple(steps.told),
        left=steps.book.open_faults(steps.folder.name),
        error=chaos.error,
        failed_rollbacks="" if chaos.alive() else chaos.left,
        deviated=bool(journal.get("deviated")),
        signal=stop.signal or "",
    )


def to_dict(played: Played) -> Mapping[str, Any]:
    """For machines; seconds from the first step on."""
    zero = played.steps[0].monotonic if played.steps else 0.0
    return {
        "schema": SCHEMA,
        "experiment": played.experiment,
        "run": played.run,
        "folder": str(played.folder),
        "steps": [{**asdict(one), "t": round(one.monotonic - zero, 3)} for one in played.steps],
        "unseen": list(played.unseen),
        "left": [asdict(one) for one in played.left],
        "error": played.error or None,
        "failed_rollbacks": played.failed_rollbacks or None,
        "steady_state_deviated": played.deviated,
        "interrupted": played.signal or None,
        "exit_code": int(played.exit_code),
    }
