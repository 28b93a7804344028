"""Each scenario is played once, whoever asks first in however many processes; everybody judges the same record."""

from __future__ import annotations

import fcntl
import hashlib
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import pytest

from holdfast import app, project, settings
from holdfast.chaos.strike import FaultStuckError
from holdfast.errors import HoldfastError, InfrastructureError, UsageError
from holdfast.model.verdict import State
from holdfast.signals import stoppable
from holdfast.store.folder import write_json, write_whole
from holdfast.store.reading import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from holdfast.app import Outcome, Workplace
    from holdfast.model.scenario import Scenario
    from holdfast.run import Glimpse

    Watching = AbstractContextManager[Callable[[Glimpse], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """There is no record to judge, and why."""

    state: State
    why: str


_BROKE: Final = Refused(state=State.UNKNOWN, why="The run broke off without a record; its first test says how.")


class Play(Protocol):
    """Makes the record of a scenario, or finds it. Raises HoldfastError."""

    def __call__(self, path: Path) -> Outcome:
        """Make the outcome of this scenario file."""


@dataclass(slots=True)
class Runs:
    """Outcomes by scenario file; `share` is a folder that every process of the session sees."""

    play: Play
    share: Path | None = None
    known: dict[Path, Outcome | Refused] = field(default_factory=dict)

    def outcome(self, path: Path) -> Outcome | Refused:
        """The one outcome of a scenario in this session; whatever interrupts its making leaves it refused."""
        if path not in self.known:
            self.known[path] = _BROKE
            self.known[path] = self._together(path, self.share) if self.share else _answer(partial(self.play, path))
        return self.known[path]

    def _together(self, path: Path, share: Path) -> Outcome | Refused:
        note = share / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.json"
        with note.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if note.exists():
                return _told(json.loads(note.read_text(encoding="utf-8")))
            # Written first: a process that dies while playing must not make the next one play again.
            write_json(note, _note(_BROKE))
            answer = _answer(partial(self.play, path))
            write_json(note, _note(answer))
            return answer


def _note(answer: Outcome | Refused) -> dict[str, str]:
    if isinstance(answer, Refused):
        return {"state": answer.state, "why": answer.why}
    return {"folder": str(answer.folder)}


def _told(note: dict[str, str]) -> Outcome | Refused:
    if "folder" in note:
        return _answer(partial(app.judge_folder, Path(note["folder"])))
    return Refused(state=State(note["state"]), why=note["why"])


def _answer(make: Callable[[], Outcome]) -> Outcome | Refused:
    try:
        return make()
    except HoldfastError as error:
        state = State.NOT_RESTORED if isinstance(error, FaultStuckError) else State.UNKNOWN
        hint = f" Hint: {error.hint}" if error.hint else ""
        return Refused(state=state, why=f"There is no record: {error}.{hint}")


RUNS: Final = pytest.StashKey[Runs]()


def outcome_of(runs: Runs, start: Path) -> Callable[[str], Outcome]:
    """By scenario name, in the project that `start` lies in. The function fails its test when there is no record."""

    def outcome(name: str) -> Outcome:
        root = project.find_root(start)
        named = [path for path in project.scenario_files(root) if project.load_scenario(path, root).name == name]
        if len(named) != 1:
            raise UsageError(f"{len(named)} scenarios are named {name!r} in {root / 'scenarios'}")
        found = runs.outcome(named[0])
        if isinstance(found, Refused):
            pytest.fail(f"{found.state}: {found.why}", pytrace=False)
        return found

    return outcome


def workplace(root: Path, state: str | None, runs: str | None, start: Path) -> Workplace:
    """Where to work: as the command line does it, options relative to `start`. Raises UsageError."""
    defaults = settings.read(root)
    return app.Workplace(
        root=root,
        state=(start / state if state else root / defaults.state).resolve(),
        runs=(start / runs if runs else root / defaults.runs).resolve(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Finds the record among runs that were made earlier."""

    texts: Sequence[str]
    place: Callable[[Path], Workplace]

    def __call__(self, path: Path) -> Outcome:
        """Judge the stored run of the scenario. Raises UsageError when none or several were named."""
        place = self.place(project.find_root(path.parent))
        name = project.load_scenario(path, place.root).name
        folders = [app.open_run(text, place) for text in self.texts]
        mine = [folder for folder in folders if read_manifest(folder).get("scenario") == name]
        if len(mine) != 1:
            raise UsageError(f"--holdfast-judge names {len(mine)} runs of {name}", hint="name one for each scenario")
        return app.judge_folder(mine[0])


@dataclass(slots=True, kw_only=True)
class Player:
    """Plays scenarios on the platform, one after another, until something must end the session."""

    place: Callable[[Path], Workplace]
    subject: str
    watching: Callable[[Scenario], Watching]
    share: Path | None = None
    halted: str = ""
    signal: str = ""

    def __call__(self, path: Path) -> Outcome:
        """Play one. Raises HoldfastError; also when an earlier run left a fault behind or was told to stop."""
        if self._why_halted():
            raise InfrastructureError(f"it was not run: {self._why_halted()}")
        place = self.place(project.find_root(path.parent))
        scenario = project.load_scenario(path, place.root)
        subject = self.subject or app.subject_of(place.root)
        with stoppable() as stop, self.watching(scenario) as show:

            def watch(seen: Glimpse) -> None:
                stop.signal = stop.signal or ("SIGTERM" if self._why_halted() else None)
                show(seen)

            outcome = app.run(path, place, watch=watch, stop=stop, subject=subject, wait=True)
        self._after(outcome, stop.signal)
        return outcome

    def _after(self, outcome: Outcome, signal: str | None) -> None:
        if signal:
            self.signal = signal
            self.halt(f"{signal} ended the session")
        elif outcome.report.state is State.NOT_RESTORED:
            self.halt(f"{outcome.report.scenario} may have left a fault behind")

    def halt(self, why: str) -> None:
        """Let no further scenario start, and end one that is being played, in every process of the session."""
        self.halted = self.halted or why
        if self.share:
            write_whole(self.share / "halted", why)

    def _why_halted(self) -> str:
        note = self.share / "halted" if self.share else None
        return self.halted or (note.read_text(encoding="utf-8") if note and note.exists() else "")
