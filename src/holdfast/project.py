"""A project on disk: finds the files a scenario names, reads them all, and gathers every problem before giving up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast import stats
from holdfast.errors import Location, Problem, SpecError, UsageError
from holdfast.expect import kinds, shape_of
from holdfast.expect.base import Context
from holdfast.model.scenario import Expectation, Experiment, Halt, Phase, Repeat, Scenario
from holdfast.slo.files.read import named_in, read_slos
from holdfast.spec.experiment import calls, driver_of
from holdfast.spec.profile import read_profile
from holdfast.spec.scenario import MOST_TRIALS, LoadShape, ScenarioShape, salvaged
from holdfast.spec.shapes import shaped
from holdfast.spec.source import did_you_mean, read
from holdfast.units import show_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.load import LoadProfile
    from holdfast.model.slo import Slo
    from holdfast.spec.source import Path as TreePath
    from holdfast.spec.source import Source


@dataclass(slots=True)
class _Reading:
    """One scenario being read: what was found so far, and what is wrong."""

    root: Path
    files: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """SLOs that a file names, but that cannot be read."""

    def text(self, path: Path) -> str | None:
        """The file's text, kept with the scenario; None when there is no such file."""
        if not path.is_file():
            return None
        text = path.read_text(encoding="utf-8", errors="replace")
        self.files[name_in(self.root, path)] = text
        return text

    def named(self, name: str) -> str | None:
        """The text of a file that an expectation names, by the one name under which a run folder has it again."""
        path = self.root / name.lstrip("/")
        return self.text(path) if name_in(self.root, path) == name else None


def name_in(root: Path, path: Path) -> str:
    """How a file is named in problems and reports: relative to the project where it can be."""
    path, root = path.resolve(), root.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds `scenarios/`. Raises UsageError when there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / "scenarios").is_dir():
            return folder
    raise UsageError(f"no folder scenarios/ at or above {start}", hint="run this in a Holdfast project")


def scenario_files(root: Path) -> tuple[Path, ...]:
    """Every scenario of the project, in name order."""
    return tuple(sorted((root / "scenarios").rglob("*.yaml")))


def experiment_files(root: Path) -> tuple[Path, ...]:
    """Every Chaos Toolkit experiment of the project, in name order."""
    return tuple(sorted((root / "chaos").glob("*.yaml")))


def is_experiment(path: Path, root: Path) -> bool:
    """Whether a file lies where experiments do."""
    return path.resolve().parent == (root / "chaos").resolve()


def load_experiment(name: str, root: Path) -> tuple[Experiment, Source]:
    """One experiment by its name in chaos/ or by its path, and its text with places. Raises UsageError or SpecError."""
    path = root / "chaos" / f"{name}.yaml"
    path = path if path.is_file() else Path(name)
    reading = _Reading(root)
    text = reading.text(path)
    if text is None:
        known = [file.stem for file in experiment_files(root)]
        raise UsageError(f"no experiment {name!r}", hint=did_you_mean(path.stem, known))
    file = name_in(root, path)
    found = _experiment(path.stem, text, file, reading)
    if found is None or reading.problems:
        raise SpecError(tuple(reading.problems))
    return found, read(text, file)


def load_slos(root: Path) -> dict[str, Slo]:
    """Every SLO under slos/. Raises SpecError with all problems."""
    reading = _Reading(root)
    slos = _slos(reading)
    if reading.problems:
        raise SpecError(tuple(reading.problems))
    return slos


def load_scenario(path: Path, root: Path) -> Scenario:
    """Read one scenario and everything it names. Raises SpecError with all problems of all those files at once."""
    reading = _Reading(root)
    text = reading.text(path)
    if text is None:
        raise UsageError(f"no such file: {path}", hint="holdfast check lists the scenarios there are")
    return read_scenario(text, name_in(root, path), reading)


def read_scenario(text: str, file: str, reading: _Reading) -> Scenario:
    """Resolve a scenario's text against the files of `reading.root`. Raises SpecError."""
    source = read(text, file, reading.problems)
    asks_nothing = isinstance(source.tree, dict) and source.tree.get("kind") == "Load"
    whole, wrong = shaped(LoadShape if asks_nothing else ScenarioShape, source)
    reading.problems += wrong
    slos = _slos(reading)
    shape = whole or salvaged(source)
    phases = _phases(shape, source, reading)
    load = _profile(reading, shape.load, source)
    experiments = _experiments(shape, source, reading)
    expect = _expectations(shape, source, slos, phases, reading)
    repeat = _repeat(whole, source, reading)
    halts = _halts(whole, source, slos, reading)
    if reading.problems or load is None or whole is None:
        raise SpecError(tuple(reading.problems))
    return Scenario(
        name=shape.metadata.name,
        title=shape.metadata.title,
        labels=shape.metadata.labels,
        seed=shape.seed,
        alpha=round(1 - shape.confidence, 12),
        stop=shape.stop,
        repeat=repeat,
        halts=halts,
        crew=shape.crew,
        load=load,
        phases=phases,
        expect=expect,
        experiments=experiments,
        files=reading.files,
        where=source.location(()),
    )


def _repeat(shape: ScenarioShape | None, source: Source, reading: _Reading) -> Repeat:
    """How often, with a problem when even clean trials would be too few for the claim."""
    if shape is None:
        return Repeat()
    times, claim = shape.repeat.times, shape.repeat.fails_at_most
    needed = stats.least_clean_events(claim, round(1 - shape.confidence, 12)) if claim is not None else 0
    if claim is not None and times < needed:
        what = f"{times} clean trial{'s' if times > 1 else ''} cannot prove fails-at-most: {show_ratio(claim)}"
        hint = f"times: {needed} is the least" if needed <= MOST_TRIALS else f"it would take {needed}: claim less"
        reading.problems.append(source.problem(("repeat", "times"), what, hint=hint))
    return Repeat(times=times, fails_at_most=claim)


def _halts(shape: ScenarioShape | None, source: Source, slos: Mapping[str, Slo], reading: _Reading) -> tuple[Halt, ...]:
    """What breaks a run off; an SLO that no client can see would never do so."""
    found = []
    for index, one in enumerate(shape.halt_when if shape else ()):
        slo, where = slos.get(one.slo), ("halt-when", index, "slo")
        if slo is None and not reading.broken:
            what = f"no SLO is named {one.slo!r}"
            reading.problems.append(source.problem(where, what, hint=did_you_mean(one.slo, sorted(slos))))
        elif slo is not None and slo.sli is None:
            what = f"{one.slo} is not seen by clients"
            reading.problems.append(source.problem(where, what, hint="a halt looks at answers as clients get them"))
        elif slo is not None:
            found.append(Halt(slo=slo, burn=one.burn, over=one.over))
    return tuple(found)


def _slos(reading: _Reading) -> dict[str, Slo]:
    found: dict[str, Slo] = {}
    rules: dict[str, Slo] = {}
    for path in sorted((reading.root / "slos").glob("*.yaml")):
        text = reading.text(path) or ""
        try:
            slos, problems = read_slos(text, name_in(reading.root, path))
        except SpecError as error:
            reading.problems += error.problems
            continue
        reading.problems += problems
        reading.broken |= named_in(text, path.name) - {slo.id for slo in slos}
        for slo in slos:
            other = rules.setdefault(slo.rule_id, slo)
            if other.where.file != slo.where.file:
                what = (
                    f"SLO {slo.id} stands in {other.where} too"
                    if other.id == slo.id
                    else (f"{slo.id} shares its sloth_id with {other.id} in {other.where}")
                )
                reading.problems.append(Problem(where=slo.where, what=what, code="slo/duplicate"))
            found[slo.id] = slo
    return found


def _phases(shape: ScenarioShape, source: Source, reading: _Reading) -> tuple[Phase, ...]:
    phases: list[Phase] = []
    start = 0.0
    for index, one in enumerate(shape.phases):
        if one.name and one.name in {phase.name for phase in phases}:
            reading.problems.append(source.problem(("phases", index, "name"), f"duplicate phase {one.name!r}"))
        end = start + one.length
        phases.append(Phase(name=one.name, start=start, end=end, judged=one.judged, chaos=one.chaos))
        start = end
    if phases and not any(phase.judged for phase in phases):
        reading.problems.append(source.problem(("phases",), "no phase is judged", hint="it would prove nothing"))
    return tuple(phases)


def _profile(reading: _Reading, name: str | None, source: Source) -> LoadProfile | None:
    if name is None:
        return None
    path = reading.root / "loadtests" / f"{name}.conf"
    text = reading.text(path)
    if text is None:
        known = [file.stem for file in sorted((reading.root / "loadtests").glob("*.conf"))]
        reading.problems.append(_absent(source, ("load",), f"loadtests/{name}.conf", name, known))
        return None
    try:
        return read_profile(text, name_in(reading.root, path))
    except SpecError as error:
        reading.problems += error.problems
        return None


def _experiments(shape: ScenarioShape, source: Source, reading: _Reading) -> dict[str, Experiment]:
    found: dict[str, Experiment] = {}
    for index, phase in enumerate(shape.phases):
        if phase.chaos is None or phase.chaos in found:
            continue
        path = reading.root / "chaos" / f"{phase.chaos}.yaml"
        text = reading.text(path)
        if text is None:
            known = [file.stem for file in sorted((reading.root / "chaos").glob("*.yaml"))]
            where: TreePath = ("phases", index, "chaos")
            reading.problems.append(_absent(source, where, f"chaos/{phase.chaos}.yaml", phase.chaos, known))
            continue
        experiment = _experiment(phase.chaos, text, name_in(reading.root, path), reading)
        if experiment:
            found[phase.chaos] = experiment
    return found


def _absent(source: Source, path: TreePath, file: str, name: str, known: list[str]) -> Problem:
    return source.problem(path, f"no such file: {file}", hint=did_you_mean(name, known))


def _experiment(name: str, text: str, file: str, reading: _Reading) -> Experiment | None:
    try:
        source = read(text, file, reading.problems)
    except SpecError as error:
        reading.problems += error.problems
        return None
    document = source.tree if isinstance(source.tree, dict) else {}
    missing = [key for key in ("title", "description", "method") if not document.get(key)]
    reading.problems += [source.problem((), f"a Chaos Toolkit experiment needs {key}:") for key in missing]
    if missing:
        return None
    return Experiment(
        name=name,
        title=str(document["title"]),
        document=document,
        roles=_roles(document),
        driver=driver_of(document),
        where=Location(file=file, line=1, column=1),
    )


def _roles(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The roles that the method's actions name, for the plan to show."""
    named = (one.arguments.get("role") for one in calls(document, "method"))
    return tuple(dict.fromkeys(str(role) for role in named if role is not None))


def _expectations(
    shape: ScenarioShape, source: Source, slos: Mapping[str, Slo], phases: tuple[Phase, ...], reading: _Reading
) -> tuple[Expectation, ...]:
    contexts = [
        Context(
            source=source,
            path=("expect", index),
            slos=slos,
            phases=phases,
            problems=reading.problems,
            broken=frozenset(reading.broken),
            read=reading.named,
        )
        for index, item in enumerate(shape.expect if phases else ())
        if isinstance(item, dict)
    ]
    return tuple(found for found in map(_expectation, contexts) if found)


def _expectation(context: Context) -> Expectation | None:
    item: dict[str, Any] = context.source.tree["expect"][context.path[-1]]
    kind = next((key for key in item if key in kinds()), None)
    if kind is None:
        first = next(iter(item), "")
        what, hint = f"no kind of expectation is named {first!r}", did_you_mean(first, kinds())
        context.problems.append(context.source.problem((*context.path, first), what, hint=hint, key=True))
        return None
    shape, wrong = shaped(shape_of(kind), context.source, context.path)
    context.problems.extend(wrong)
    return shape.resolve(context) if shape else None
