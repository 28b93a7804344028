"""A scenario played as often as it asks, and the attempts of a gate counted meanwhile: what every face calls."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast import app, project
from holdfast.attempts import Attempt, Standing, attempt_of, attempt_of_series, from_dict, stand
from holdfast.chaos.strike import FaultStuckError
from holdfast.errors import HoldfastError, InfrastructureError, UsageError
from holdfast.model.scenario import Trial
from holdfast.store import attempts as store_attempts
from holdfast.store.folder import SERIES, series_name
from holdfast.store.reading import read_manifest
from holdfast.trials import SCHEMA, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from holdfast.app import Outcome, Workplace
    from holdfast.model.platform import Driver
    from holdfast.model.scenario import Scenario
    from holdfast.run import Glimpse, Stop

    Watching = Callable[[str, float], AbstractContextManager[Callable[[Glimpse], None]]]
    """(title, seconds) -> somebody who looks at one run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a scenario: one `outcome`, or a `series`; `folder` is the run's, or the series' file.

    `scenario` has the seed of its file. `standing` is its answer, and what earlier attempts make of that.
    """

    scenario: Scenario
    standing: Standing
    folder: Path
    outcome: Outcome | None = None
    series: Series | None = None

    def look(self) -> Outcome | None:
        """The run, of a series the worst trial's; None when no trial was played."""
        number = self.series.worst_trial() if self.series else None
        if self.series and number:
            return app.judge_folder(self.folder.parent / self.series.reports[number].run)
        return self.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Who looks on while something is played, who may stop it, and who hears of each run: (outcome, which trial)."""

    watching: Watching
    stop: Stop
    heard: Callable[[Outcome, Trial | None], None] = lambda *_: None
    wait: bool = False


def play(
    path: Path,
    place: Workplace,
    stage: Stage,
    *,
    gate: str = "",
    subject: str = "",
    undecided_ok: bool = False,
    once: Callable[..., Outcome] = app.run,
) -> Played:
    """Play a scenario once or, when it repeats, until its series is over; for a `gate` this is one counted attempt.

    `once` plays a single run, with the arguments of `app.run`. Raises what that raises; what a series had played by
    then is kept in its file.
    """
    scenario = project.load_scenario(path, place.root)
    if not undecided_ok:
        app.refuse_undecidable([path], place)
    playing = _Playing(path=path, place=place, stage=stage, scenario=scenario, gate=gate, subject=subject, once=once)
    if scenario.repeat.is_series:
        series = playing.series()
        standing = replace(playing.standing(attempt_of_series(series)), series=series.to_dict())
        return Played(scenario=scenario, standing=standing, folder=_file(place, series), series=series)
    outcome = playing.run(None)
    standing = playing.standing(attempt_of(outcome.report))
    return Played(scenario=scenario, standing=standing, folder=outcome.folder, outcome=outcome)


@dataclass(slots=True, kw_only=True)
class _Playing:
    path: Path
    place: Workplace
    stage: Stage
    scenario: Scenario
    gate: str
    subject: str
    once: Callable[..., Outcome]
    platform: str = ""
    key: str = ""
    attempt: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def ledger(self) -> store_attempts.Ledger:
        return store_attempts.Ledger(self.place.runs / store_attempts.NAME)

    def run(self, trial: Trial | None) -> Outcome:
        title = self.scenario.title + (f": trial {trial.number} of {trial.times}" if trial else "")
        with self.stage.watching(title, self.scenario.length) as watch:
            outcome = self.once(
                self.path,
                self.place,
                watch=watch,
                stop=self.stage.stop,
                subject=self.subject,
                # A series goes on with its platform, whoever borrowed it between two trials.
                wait=self.stage.wait or bool(trial and trial.number > 1),
                undecided_ok=True,
                trial=trial,
                begun=self.begun,
            )
        if outcome.timeline.scenario.files != self.scenario.files:
            raise InfrastructureError(f"files of {self.scenario.name} were changed while it was played")
        self.stage.heard(outcome, trial)
        return outcome

    def series(self) -> Series:
        series = Series(
            name=series_name(self.scenario, self.place.clock),
            scenario=self.scenario.name,
            subject=self.subject,
            seed=self.scenario.seed,
            repeat=self.scenario.repeat,
            alpha=self.scenario.alpha,
        )
        _keep(self.place, series)
        while not series.over and not self.stage.stop.signal:
            series = self._one_more(series)
            _keep(self.place, series)
        ended = f"{self.stage.stop.signal} ended the series" if self.stage.stop.signal and series.missing else ""
        series = replace(series, ended=series.ended or ended)
        _keep(self.place, series)
        return series

    def _one_more(self, series: Series) -> Series:
        trial = Trial(series=series.name, number=series.missing[0], times=series.repeat.times)
        try:
            outcome = self.run(trial)
        except FaultStuckError as error:
            return replace(series, broken=True, ended=str(error))
        except HoldfastError as error:
            _keep(self.place, replace(series, ended=str(error)))
            raise
        return replace(series, reports={**series.reports, trial.number: outcome.report})

    def begun(self, driver: Driver) -> None:
        """Note the attempt before the platform is touched, once; without a gate or a subject there is none.

        Raises InfrastructureError when a series finds another platform than it began with.
        """
        platform = _digest(driver.describe())
        if self.platform not in ("", platform):
            raise InfrastructureError("the platform is another one than the series began with", hint="begin anew")
        self.platform = platform
        if not self.gate or not self.subject or self.key:
            return
        about = {
            "gate": self.gate,
            "subject": self.subject,
            "scenario": self.scenario.name,
            "specs": _digest(self.scenario.files),
            "platform": platform,
        }
        self.key = _digest(about)
        self.ledger.of(self.key)
        self.ledger.begin(self.attempt, self.key, at=self.place.clock.wall(), **about)

    def standing(self, own: Attempt) -> Standing:
        """Note how the attempt ended, and weigh it with all others. Raises InfrastructureError when that cannot be."""
        if not self.key:
            return _alone(self.scenario, own)
        self.ledger.end(self.attempt, at=self.place.clock.wall(), **own.to_dict())
        noted = self.ledger.of(self.key)
        numbers = {one.id: number for number, one in enumerate(noted, 1)}
        if self.attempt not in numbers:
            raise InfrastructureError(f"this attempt is no longer in {self.ledger.path}", hint="who rewrote it?")
        others = {numbers[one.id]: _read(one, self.ledger.path) for one in noted if one.id != self.attempt}
        return stand(self.scenario.name, own, numbers[self.attempt], others, self.scenario.alpha)


def _read(noted: store_attempts.Noted, path: Path) -> Attempt:
    try:
        return from_dict(noted.end) if noted.end is not None else Attempt()
    except (KeyError, TypeError, ValueError) as error:
        raise InfrastructureError(f"attempt {noted.id} in {path} cannot be read: {error!r}") from error


def _alone(scenario: Scenario, own: Attempt) -> Standing:
    return Standing(scenario=scenario.name, run=own.run, state=own.state, own=own.state)


def _digest(told: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _file(place: Workplace, series: Series) -> Path:
    return place.runs / f"{series.name}.json"


def _keep(place: Workplace, series: Series) -> None:
    app.keep(_file(place, series), series.to_dict())


def judge_run(folder: Path) -> Played:
    """A run judged again from its folder alone."""
    outcome = app.judge_folder(folder)
    scenario = outcome.timeline.scenario
    return Played(
        scenario=scenario, standing=_alone(scenario, attempt_of(outcome.report)), folder=folder, outcome=outcome
    )


def find_series(text: str, place: Workplace) -> Path | None:
    """A series' file from a path or a name; None when that names no series."""
    for path in (Path(text), place.runs / text, place.runs / f"{text}.json"):
        if path.name.startswith(SERIES) and path.is_file():
            return path.resolve()
    return None


def judge_series(file: Path) -> Played:
    """A series judged again from the folders of its trials, which lie beside its file.

    How often it was to be played, and what is claimed, is read from the sealed records, not from the file. A trial
    whose folder is gone, or was made by another series, from other files or on another platform, is missing. Raises
    UsageError when the file is no series, or no trial is left.
    """
    told = _told(file)
    found = [(number, _trial(file.parent / run, told["series"], number)) for number, run in _runs(told, file)]
    played = [(number, outcome) for number, outcome in found if outcome]
    if not played:
        raise UsageError(f"no trial of {file.name} is left in {file.parent}")
    number, first = played[0]
    scenario = replace(first.timeline.scenario, seed=first.timeline.scenario.seed - number)
    mine = {
        number: outcome.report
        for number, outcome in played
        if number <= scenario.repeat.times
        and same(outcome.timeline.scenario, scenario.in_trial(number))
        and _setting(outcome.folder) == _setting(first.folder)
    }
    series = Series(
        name=told["series"],
        scenario=scenario.name,
        subject=str(told.get("subject", "")),
        seed=scenario.seed,
        repeat=scenario.repeat,
        alpha=scenario.alpha,
        reports=mine,
        ended=str(told.get("ended", "")),
        broken=told.get("not_restored") is not False,
    )
    standing = replace(_alone(scenario, attempt_of_series(series)), series=series.to_dict())
    return Played(scenario=scenario, standing=standing, folder=file, series=series)


def same(one: Scenario, other: Scenario) -> bool:
    """Whether both were read from the same texts and are played with the same seed."""
    return (one.name, one.seed, one.files) == (other.name, other.seed, other.files)


def _told(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} is not a series: {error}") from error
    if not isinstance(told, dict) or told.get("schema") != SCHEMA or told.get("series") != file.stem:
        raise UsageError(f"{file} is not a series: its schema or name is another")
    return told


def _runs(told: Mapping[str, Any], file: Path) -> list[tuple[int, str]]:
    try:
        runs = {int(one["trial"]): Path(one["run"]).name for one in told["trials"]}
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{file} is not a series: its trials cannot be read ({error!r})") from error
    return sorted(runs.items())


def _setting(folder: Path) -> dict[str, Any]:
    """Which platform a run was played on, whichever incarnation of it."""
    return {**(read_manifest(folder).get("platform") or {}), "fingerprint": ""}


def _trial(folder: Path, series: str, number: int) -> Outcome | None:
    """The judged run of one trial; None when there is none that says so itself."""
    try:
        manifest = read_manifest(folder)
        outcome = app.judge_folder(folder)
    except UsageError:
        return None
    times = outcome.timeline.scenario.repeat.times
    mine = (manifest.get("series"), manifest.get("trial")) == (series, f"{number}/{times}")
    return outcome if mine else None
