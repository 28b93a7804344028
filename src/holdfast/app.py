"""The composition root: the only place that knows every adapter; it wires a run, a judgement, a platform."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from holdfast import project, subject
from holdfast.clock import Clock, SystemClock
from holdfast.errors import InfrastructureError, NotHereError, PlatformError, SpecError, UsageError
from holdfast.experiments.alone import alone
from holdfast.gate import decide
from holdfast.judge import judge
from holdfast.load.planned import planned
from holdfast.objectives.generate import rule_files
from holdfast.plan import Plan, make_plan
from holdfast.store import folder as store
from holdfast.store.reading import find_run, read_manifest, read_timeline
from holdfast.undecidable import UndecidableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from holdfast.clock import Anchor
    from holdfast.errors import Problem
    from holdfast.gate import Decision
    from holdfast.model.load import Schedule
    from holdfast.model.platform import Driver
    from holdfast.model.scenario import Experiment, Scenario, Trial
    from holdfast.model.timeline import Timeline
    from holdfast.model.verdict import Report, Verdict
    from holdfast.platforms.readiness import Progress
    from holdfast.run import Glimpse, Ports, Stop

_LIBRARIES: Final = ("holdfast", "locust", "chaostoolkit-lib", "scipy", "pandas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where a command works: the project, the platform's state folder, the folder of runs."""

    root: Path
    state: Path
    runs: Path
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run that was judged, and where it lies."""

    report: Report
    timeline: Timeline
    folder: Path


def arrivals(scenario: Scenario, root: Path) -> Schedule:
    """Every request this scenario will offer. Raises UsageError or SpecError when a file of its load is no good."""
    return planned(scenario.load, seed=scenario.seed, length=scenario.length, root=root).arrivals


def plan(path: Path, place: Workplace) -> Plan:
    """What running this scenario will cost and can prove; touches nothing."""
    scenario = project.load_scenario(path, place.root)

    def offered(length: float) -> Sequence[float]:
        return planned(scenario.load, seed=scenario.seed, length=length, root=place.root).arrivals.dues

    return make_plan(scenario, offered, _needs_of)


def _needs_of(fault: str) -> tuple[str, ...] | None:
    from holdfast import faults

    return faults.find(fault).needs if fault in faults.names() else None


def refuse_undecidable(paths: Iterable[Path], place: Workplace) -> None:
    """Plan scenarios before anything is touched. Raises UndecidableError with every problem of every plan."""
    problems = [problem for path in paths for problem in plan(path, place).problems]
    if problems:
        raise UndecidableError(tuple(problems))


def check(paths: Sequence[Path], root: Path) -> tuple[list[Path], list[Problem]]:
    """The files looked at (scenarios and experiments, all of the project when none is named), and every problem, once.

    With a scenario goes all that it names.
    """
    from holdfast.experiments.check import experiment_problems, hold_problems

    experiments = [path for path in paths if project.is_experiment(path, root)]
    chosen = [path for path in paths if path not in experiments] if paths else list(project.scenario_files(root))
    files = [*(experiments if paths else project.experiment_files(root))]
    problems: dict[Problem, None] = {}
    for path in chosen:
        try:
            scenario = project.load_scenario(path, root)
        except SpecError as error:
            problems |= dict.fromkeys(error.problems)
            continue
        problems |= dict.fromkeys(hold_problems(scenario))
        files += [root / one.where.file for one in scenario.experiments.values()]
    for path in dict.fromkeys(files):
        problems |= dict.fromkeys(experiment_problems(path, root))
    return [*chosen, *experiments], sorted(problems)


def up(
    place: Workplace,
    *,
    profile: str,
    options: Mapping[str, str],
    ports: Mapping[str, int],
    report: Callable[[Progress], None],
    wait: float | None = None,
) -> Driver:
    """Bring the embedded platform up, with the rules of this project's SLOs, and mend what an earlier run left."""
    from holdfast.platforms import lifecycle

    return lifecycle.up(
        place.state,
        profile=profile,
        options=options,
        ports=ports,
        rules=rule_files(place.root),
        programs=programs(place.root, place.environ),
        report=report,
        wait=wait,
        home=place.root / lifecycle.HOME,
        environ=place.environ,
    )


def programs(root: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Where the user says that programs are, by name; `root` is the project, where there is one."""
    from holdfast import settings
    from holdfast.platforms import needs

    kept = settings.read(root).vllm if root else ""
    return needs.named(environ, {"vllm": str(root / kept)} if root and kept else {})


def is_up(place: Workplace) -> bool:
    """Whether a platform is up in this place."""
    from holdfast.platforms.connect import connect

    try:
        connect(place.state)
    except PlatformError:
        return False
    return True


def refuse_elsewhere(scenario: Scenario) -> None:
    """Raises NotHereError when one of its experiments needs a driver on which no scenario can be played."""
    from holdfast.platforms.connect import BEARS_LOAD

    if needed := sorted(set(scenario.drivers) - BEARS_LOAD):
        hint = "its experiment can be played by itself: holdfast chaos run"
        raise NotHereError(f"{scenario.name} was not run: needs driver {', '.join(needed)}", hint=hint)


def run(
    path: Path,
    place: Workplace,
    *,
    watch: Callable[[Glimpse], None],
    stop: Stop,
    subject: str = "",
    wait: bool = False,
    undecided_ok: bool = False,
    trial: Trial | None = None,
    begun: Callable[[Driver], None] = lambda _: None,
) -> Outcome:
    """Play one scenario on the running platform, judge it, write its reports; `wait` for a run that holds the platform.

    A `trial` of a series has a seed of its own. `begun` is called when the platform is ours, before it is touched.
    One that could not pass whatever happens is refused, unless `undecided_ok`. Raises SpecError, PlatformError when no
    platform is ready, InfrastructureError when the record cannot be kept.
    """
    from holdfast.platforms.connect import connect

    scenario, planned = project.load_scenario(path, place.root), plan(path, place)
    if planned.problems and not undecided_ok:
        raise UndecidableError(planned.problems)
    refuse_elsewhere(scenario)
    driver = connect(place.state)
    scenario = scenario.in_trial(trial.number) if trial else scenario
    with alone(place.state, wait=wait, stop=stop):
        begun(driver)
        about = {"subject": subject} | ({"series": trial.series, "trial": str(trial)} if trial else {})
        folder = _play(scenario, driver, place, watch=watch, stop=stop, about=about)
    return judge_folder(folder, write=True)


def _play(
    scenario: Scenario,
    driver: Driver,
    place: Workplace,
    *,
    watch: Callable[[Glimpse], None],
    stop: Stop,
    about: Mapping[str, str],
) -> Path:
    from holdfast import early
    from holdfast.chaos.guard import watch_of
    from holdfast.experiments.standing import sweep
    from holdfast.run import Run, begin

    try:
        folder = store.new_folder(place.runs, scenario, place.clock)
        ports = _ports(scenario, driver, place, folder, watch)
        sweep(ports.striker)
        guard = watch_of(driver, ports.ledger, folder.name)
        if scenario.experiments:
            guard.begin()
        if scenario.stop == "early":
            early.prepare()
        anchor = begin(place.clock)
        manifest = _manifest(scenario, driver, anchor, about)
        store.write_json(folder / store.MANIFEST, {**manifest, "digests": store.keep_specs(folder, scenario)})
        store.point_latest(place.runs, folder)
    except OSError as error:
        raise InfrastructureError(f"no run folder could be made: {error}", hint="is the disk full?") from error
    recorder = store.Recorder(folder, place.clock, anchor.monotonic)
    dues = arrivals(scenario, place.root).dues
    try:
        Run(scenario, ports, recorder, anchor, place.clock, stop, dues).play()
    finally:
        guard.end()
    return folder


def _ports(
    scenario: Scenario, driver: Driver, place: Workplace, folder: Path, watch: Callable[[Glimpse], None]
) -> Ports:
    from holdfast.chaos import ledger
    from holdfast.chaos.strike import Striker
    from holdfast.chaos.toolkit import RunningExperiment
    from holdfast.load import process
    from holdfast.load.command import command
    from holdfast.run import Ports
    from holdfast.sources import alerts, prometheus
    from holdfast.store.load import LINES

    endpoints = driver.endpoints()
    book = ledger.of(driver, place.clock)

    def start_load(zero: float, into: Path) -> process.LoadProcess:
        words = command(
            scenario.load,
            locustfile=place.root / "loadtests" / "chat.py",
            host=endpoints.of(scenario.load.endpoint),
            records=into / LINES,
            seed=scenario.seed,
            length=scenario.length,
            epoch=zero,
            python=sys.executable,
        )
        environment = {**place.environ, "HOLDFAST_API_KEY": endpoints.api_key}
        return process.start(words, cwd=place.root, environment=environment, log=into / "load.log")

    def start_chaos(experiment: Experiment) -> RunningExperiment:
        configuration = {
            "holdfast_state": str(place.state),
            "holdfast_run": folder.name,
            "holdfast_seed": scenario.seed,
            "holdfast_fingerprint": driver.fingerprint(),
        }
        let_go = partial(book.leases.revoke, folder.name)
        return RunningExperiment(experiment.document, configuration, let_go).start()

    return Ports(
        driver=driver,
        ledger=book,
        striker=Striker(driver=driver, ledger=book, clock=place.clock, run=folder.name, seed=scenario.seed),
        start_load=start_load,
        start_chaos=start_chaos,
        take_metrics=lambda *asked: prometheus.connect(endpoints.prometheus, endpoints.tenant).take(*asked),
        take_alerts=lambda since, until: alerts.notifications(endpoints.alerts, since, until),
        watch=watch,
    )


def _manifest(scenario: Scenario, driver: Driver, anchor: Anchor, about: Mapping[str, str]) -> dict[str, object]:
    return {
        "schema": "holdfast/run/v1",
        "scenario": scenario.name,
        "scenario_file": store.kept_name(scenario.where.file),
        **about,
        "seed": scenario.seed,
        "zero": {"monotonic": anchor.monotonic, "wall": anchor.wall},
        "platform": {**driver.describe(), "fingerprint": driver.fingerprint()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "processor": platform.machine()},
    }


def judge_folder(folder: Path, *, write: bool = False) -> Outcome:
    """Judge a run from its folder alone; `write` also writes verdict.json, junit.xml and report.html beside it."""
    timeline = read_timeline(folder)
    report = judge(timeline, _provenance(read_manifest(folder)))
    if write:
        write_reports(folder, report, timeline)
    return Outcome(report=report, timeline=timeline, folder=folder)


def verdict_named(report: Report, name: str) -> Verdict:
    """The one verdict whose id begins with `name`. Raises UsageError when there is none, or more than one."""
    found = [one for one in report.verdicts if one.id == name] or [
        one for one in report.verdicts if one.id.startswith(name)
    ]
    if len(found) != 1:
        known = ", ".join(one.id for one in (found or report.verdicts))
        raise UsageError(f"{'several expectations are' if found else 'no expectation is'} named {name!r}", hint=known)
    return found[0]


def _provenance(manifest: Mapping[str, object]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key in ("subject", "seed", "series", "trial", "scenario_file"):
        flat[key.replace("_", " ")] = str(manifest.get(key, ""))
    for group in ("platform", "versions", "machine", "digests"):
        found = manifest.get(group)
        for name, value in found.items() if isinstance(found, dict) else ():
            flat[f"{group.rstrip('s')} {name}"] = str(value)
    return {name: value for name, value in flat.items() if value}


def write_reports(folder: Path, report: Report, timeline: Timeline) -> None:
    """Write verdict.json, junit.xml and report.html beside the record. Raises InfrastructureError when that fails."""
    from holdfast.report import data, junit, page

    try:
        store.write_json(folder / "verdict.json", data.to_dict(report))
        store.write_whole(folder / "junit.xml", junit.junit([report]))
        store.write_whole(folder / "report.html", page.page(report, timeline))
    except OSError as error:
        raise InfrastructureError(f"the report could not be written: {error}", hint="is the disk full?") from error


def scenarios_of_gate(name: str, root: Path) -> list[Path]:
    """Files of every scenario labelled `gate: NAME`. Raises UsageError when there is none: that is never a pass."""
    labelled = {path: project.load_scenario(path, root).labels.get("gate") for path in project.scenario_files(root)}
    chosen = [path for path, gate in labelled.items() if gate == name]
    if not chosen:
        known = sorted({gate for gate in labelled.values() if gate})
        raise UsageError(f"no scenario is labelled gate: {name}", hint=f"gates: {', '.join(known) or 'none'}")
    return chosen


def forget_decision(place: Workplace, gate: str, subject: str, paths: Sequence[Path]) -> None:
    """Replace what an earlier run of the gate decided: whatever ends this one early, nobody may read the old PASS."""
    names = [project.load_scenario(path, place.root).name for path in paths]
    keep_decision(place, decide(gate, subject, names, []))


def keep_decision(place: Workplace, decision: Decision) -> Path:
    """Write the gate's decision beside its runs. Raises InfrastructureError when it cannot be kept."""
    return keep(place.runs / f"gate-{decision.gate}.json", decision.to_dict())


def keep(path: Path, told: Mapping[str, object]) -> Path:
    """Write an answer beside its runs, whole or not at all. Raises InfrastructureError when it cannot be kept."""
    try:
        store.write_json(path, told)
    except OSError as error:
        raise InfrastructureError(f"{path.name} could not be written: {error}", hint="is the disk full?") from error
    return path


def subject_of(place: Workplace) -> str:
    """What is judged there: the Git commit with a digest of what differs from it; empty outside a checkout."""
    return subject.subject_of(place.root, apart=(place.runs, place.state))


def open_run(text: str, place: Workplace) -> Path:
    """A run folder from a path or a name. Raises UsageError."""
    return find_run(text, place.runs)
