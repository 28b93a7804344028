"""Each scenario is played once, whoever asks first in however many processes; everybody judges the same record."""

from __future__ import annotations

import fcntl
import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

from holdfast import app, project, settings
from holdfast.attempts import standing_from
from holdfast.chaos.strike import FaultStuckError
from holdfast.errors import HoldfastError, InfrastructureError, UsageError
from holdfast.model.verdict import State
from holdfast.play import Played, Stage, find_series, judge_run, judge_series, play
from holdfast.plugin.freezing import UNNAMED, FrozenError
from holdfast.signals import stoppable
from holdfast.store.folder import write_json, write_whole
from holdfast.store.reading import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.app import Outcome, Workplace
    from holdfast.model.scenario import Scenario
    from holdfast.play import Watching
    from holdfast.run import Glimpse, Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """There is no record to judge, and why."""

    state: State
    why: str


_BROKE: Final = Refused(state=State.UNKNOWN, why="The run broke off without a record; its first test says how.")


class Play(Protocol):
    """Makes the record of a scenario, or finds it. Raises HoldfastError."""

    def __call__(self, path: Path) -> Played:
        """Play this scenario file, or find what was played."""


@dataclass(slots=True)
class Runs:
    """Outcomes by scenario file; `share` is a folder that every process of the session sees."""

    play: Play
    share: Path | None = None
    known: dict[Path, Played | Refused] = field(default_factory=dict)

    def outcome(self, path: Path) -> Played | Refused:
        """The one outcome of a scenario in this session; whatever interrupts its making leaves it refused."""
        if path not in self.known:
            self.known[path] = _BROKE
            self.known[path] = self._together(path, self.share) if self.share else _answer(partial(self.play, path))
        return self.known[path]

    def _together(self, path: Path, share: Path) -> Played | Refused:
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


def _note(answer: Played | Refused) -> dict[str, Any]:
    if isinstance(answer, Refused):
        return {"state": answer.state, "why": answer.why}
    return {"folder": str(answer.folder), "standing": answer.standing.to_dict()}


def _told(note: dict[str, Any]) -> Played | Refused:
    if "folder" not in note:
        return Refused(state=State(note["state"]), why=note["why"])
    found = _answer(partial(_judged, Path(note["folder"])))
    if isinstance(found, Refused):
        return found
    # What earlier attempts make of it was weighed once, by whoever played it.
    return replace(found, standing=standing_from(found.scenario.name, note["standing"]))


def _judged(path: Path) -> Played:
    return judge_run(path) if path.is_dir() else judge_series(path)


def _answer(make: Callable[[], Played]) -> Played | Refused:
    try:
        return make()
    except FrozenError as error:
        return Refused(state=error.state, why=f"{error}. Hint: {error.hint}")
    except HoldfastError as error:
        state = State.NOT_RESTORED if isinstance(error, FaultStuckError) else State.UNKNOWN
        hint = f" Hint: {error.hint}" if error.hint else ""
        return Refused(state=state, why=f"There is no record: {error}.{hint}")


RUNS: Final = pytest.StashKey[Runs]()


def outcome_of(runs: Runs, start: Path) -> Callable[[str], Outcome]:
    """By scenario name, in the project that `start` lies in: its run, of a series the worst trial's.

    The function fails its test when there is no record.
    """

    def outcome(name: str) -> Outcome:
        root = project.find_root(start)
        named = [path for path in project.scenario_files(root) if project.load_scenario(path, root).name == name]
        if len(named) != 1:
            raise UsageError(f"{len(named)} scenarios are named {name!r} in {root / 'scenarios'}")
        found = runs.outcome(named[0])
        if isinstance(found, Refused):
            pytest.fail(f"{found.state}: {found.why}", pytrace=False)
        seen = found.look()
        if seen is None:
            pytest.fail(f"{State.UNKNOWN}: no trial of {name} was played", pytrace=False)
        return seen

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

    def __call__(self, path: Path) -> Played:
        """Judge the stored run, or series, of the scenario. Raises UsageError when none or several were named."""
        place = self.place(project.find_root(path.parent))
        scenario = project.load_scenario(path, place.root)
        what = "series" if scenario.repeat.is_series else "runs"
        mine = [file for text in self.texts if (file := _named(text, place, scenario))]
        if len(mine) != 1:
            hint = f"name one for each scenario: {'a file series-….json' if what == 'series' else 'a run folder'}"
            raise UsageError(f"--holdfast-judge names {len(mine)} {what} of {scenario.name}", hint=hint)
        return _judged(mine[0])


def _named(text: str, place: Workplace, scenario: Scenario) -> Path | None:
    """Where the record lies that `text` names, if it is of the scenario and as often as that repeats."""
    series = find_series(text, place)
    folder = None if series else app.open_run(text, place)
    if scenario.repeat.is_series:
        return series if series and judge_series(series).scenario.name == scenario.name else None
    return folder if folder and read_manifest(folder).get("scenario") == scenario.name else None


@dataclass(slots=True, kw_only=True)
class Player:
    """Plays scenarios on the platform, one after another, until something must end the session."""

    place: Callable[[Path], Workplace]
    subject: str
    watching: Watching
    share: Path | None = None
    halted: str = ""
    signal: str = ""

    def __call__(self, path: Path) -> Played:
        """Play one. Raises HoldfastError; also when an earlier run left a fault behind or was told to stop."""
        if self._why_halted():
            raise InfrastructureError(f"it was not run: {self._why_halted()}")
        place = self.place(project.find_root(path.parent))
        # The face is another one, but what is tried again is the same.
        gate = project.load_scenario(path, place.root).labels.get("gate", UNNAMED)
        subject = self.subject or app.subject_of(place)
        with stoppable() as stop:
            stage = Stage(watching=self._watching(stop), stop=stop, wait=True)
            played = play(path, place, stage, gate=gate, subject=subject)
        self._after(played, stop.signal)
        return played

    def _watching(self, stop: Stop) -> Watching:
        @contextmanager
        def watching(title: str, length: float) -> Iterator[Callable[[Glimpse], None]]:
            with self.watching(title, length) as show:

                def watch(seen: Glimpse) -> None:
                    stop.signal = stop.signal or ("SIGTERM" if self._why_halted() else None)
                    show(seen)

                yield watch

        return watching

    def _after(self, played: Played, signal: str | None) -> None:
        if signal:
            self.signal = signal
            self.halt(f"{signal} ended the session")
        elif played.standing.state is State.NOT_RESTORED:
            self.halt(f"{played.scenario.name} may have left a fault behind")

    def halt(self, why: str) -> None:
        """Let no further scenario start, and end one that is being played, in every process of the session."""
        self.halted = self.halted or why
        if self.share:
            write_whole(self.share / "halted", why)

    def _why_halted(self) -> str:
        note = self.share / "halted" if self.share else None
        return self.halted or (note.read_text(encoding="utf-8") if note and note.exists() else "")
