"""A scenario file as pytest sees it: one test for each expectation, at its own line, one for trust in the record."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import pytest

from holdfast import app, project
from holdfast.errors import HoldfastError, SpecError
from holdfast.model.verdict import State, worst
from holdfast.plugin.exit_code import Judged
from holdfast.plugin.runs import RUNS, Refused
from holdfast.report.words import amount, count, interval, not_passed, other_value
from holdfast.store import folder as store
from holdfast.trials import answer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from holdfast.errors import Location
    from holdfast.model.scenario import Scenario
    from holdfast.model.verdict import Report, Verdict
    from holdfast.play import Played

    Answer = Callable[[Played], tuple[State, str]]

TRUST: Final = "trust"
_CONTEXT: Final = 2
"""Lines of the scenario shown around an expectation's own."""


def is_scenario(path: Path) -> bool:
    """Whether a file is a scenario of a project, and not a copy kept as evidence in a run folder."""
    if path.suffix != ".yaml":
        return False
    folder = next((one for one in path.parents if one.name == "scenarios"), None)
    if folder is None or project.find_root(path.parent) != folder.parent.resolve():
        return False
    return not (folder.parent.name == store.SPECS and (folder.parent.parent / store.MANIFEST).exists())


class ScenarioFile(pytest.Module):
    """One scenario; played when its first test runs. A Module, so that it has fixtures of module scope."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self.obj = ModuleType(self.path.stem)

    def collect(self) -> Iterator[pytest.Item]:
        """Its tests. Raises CollectError with every problem of every file that it names."""
        scenario = self._read()
        for index, name in enumerate(unique([one.id for one in scenario.expect])):
            yield self._item(name, scenario, scenario.expect[index].where, _nth(index, scenario))
        yield self._item(TRUST, scenario, scenario.where, trust)

    def _read(self) -> Scenario:
        root = project.find_root(self.path.parent)
        try:
            _, problems = app.check([self.path], root)
            if problems:
                raise SpecError(tuple(problems))
            return project.load_scenario(self.path, root)
        except HoldfastError as error:
            raise self.CollectError(str(error)) from error

    def _item(self, name: str, scenario: Scenario, where: Location, answer: Answer) -> pytest.Item:
        def ask(request: pytest.FixtureRequest) -> None:
            found = matching(self.config.stash[RUNS].outcome(self.path), scenario)
            state, text, run, folder = _asked(found, answer)
            judged = Judged(id=identity, scenario=scenario.name, state=state, run=run, folder=folder)
            request.node.user_properties += judged.as_properties()
            if state is not State.PASS:
                pytest.fail("\n".join([text, "", *excerpt(scenario, where), *place(folder)]), pytrace=False)

        item: ExpectationItem = ExpectationItem.from_parent(self, name=name, callobj=ask)
        # Kept apart from the node id, to which xdist may add the name of a group.
        identity = item.nodeid
        item.line = where.line
        item.add_marker(pytest.mark.holdfast(**{**scenario.labels, "scenario": scenario.name}))
        if self.config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(scenario.name))
        return item


class ExpectationItem(pytest.Function):
    """One test; a Function, so that fixtures, marks and every selecting option work."""

    line: int = 1

    def reportinfo(self) -> tuple[Path, int, str]:
        """The line in the scenario, counted from 0 as pytest wants it."""
        return self.path, self.line - 1, self.name


def unique(names: Iterable[str]) -> list[str]:
    """The names, with #2, #3 behind those that come again: a test that hides another one would hide its verdict."""
    found: list[str] = []
    for name in names:
        again = sum(1 for one in found if one == name or one.startswith(f"{name}#"))
        found.append(f"{name}#{again + 1}" if again else name)
    return found


def _asked(found: Played | Refused, answer: Answer) -> tuple[State, str, State, str]:
    """State and words of one test, state and folder of its run."""
    if isinstance(found, Refused):
        return found.state, f"{found.state}: {found.why}", found.state, ""
    return *answer(found), found.standing.state, str(found.folder)


def matching(found: Played | Refused, scenario: Scenario) -> Played | Refused:
    """What was played, refused when it was made from other files than were collected."""
    if isinstance(found, Refused) or found.scenario.files == scenario.files:
        return found
    then, now = found.scenario.files, scenario.files
    changed = ", ".join(sorted(name for name in {**then, **now} if then.get(name) != now.get(name)))
    why = f"{found.folder.name} was made from other contents of {changed}."
    return Refused(state=State.UNKNOWN, why=why)


def _nth(index: int, scenario: Scenario) -> Answer:
    def one(report: Report) -> tuple[State, str]:
        verdict = report.verdicts[index]
        if verdict.id != scenario.expect[index].id:
            return State.UNKNOWN, f"UNKNOWN: The report answers {verdict.id} here."
        return verdict.state, "\n".join([f"{verdict.state}: {verdict.sentence}", *numbers(verdict)])

    return lambda played: _answered(played, one)


def _answered(played: Played, one: Callable[[Report], tuple[State, str]]) -> tuple[State, str]:
    """The answer of the run; of a series the worst of its trials, or with a claim the series' own."""
    if played.series is None:
        if played.outcome is None:
            return State.UNKNOWN, "UNKNOWN: There is no run."
        return one(played.outcome.report)
    told = {number: one(report) for number, report in played.series.reports.items()}
    state, number = answer_of(played.series, {number: found for number, (found, _) in told.items()})
    first = f"{state}: {played.series.sentence}"
    return state, f"trial {number} of {played.series.repeat.times}: {told[number][1]}\n{first}" if number else first


def trust(played: Played) -> tuple[State, str]:
    """The worst of the checks, every one that did not pass, and what earlier attempts leave of the verdict."""
    state, text = _answered(played, checked)
    standing = played.standing
    if standing.state.severity <= standing.own.severity:
        return state, text
    return worst([state, standing.state]), f"{standing.state}: {standing.sentence}\n{text}"


def checked(report: Report) -> tuple[State, str]:
    """The worst of the checks of one run, and every one that did not pass."""
    state = worst(check.state for check in report.checks)
    doubts = [f"{one.name}: {one.seen} (limit: {one.limit}); {one.reason}" for one in not_passed(report.checks)]
    return state, "\n".join([f"{state}: {doubts[0] if doubts else 'no check was made'}", *doubts[1:]])


def numbers(verdict: Verdict) -> list[str]:
    """The evidence as lines: counts, bounds, and what the second witness said."""
    seen = verdict.evidence
    shown = {
        "n": count(seen.n),
        "bad": count(seen.bad),
        "interval": interval(seen),
        "limit": amount(seen.limit, seen),
        "method": seen.method,
        **{name: other_value(value) for name, value in seen.other.items()},
    }
    return [f"    {name:<18} {value}" for name, value in shown.items() if value]


def excerpt(scenario: Scenario, where: Location) -> list[str]:
    """The expectation's line of the file with its neighbours."""
    lines = scenario.files.get(where.file, "").splitlines()
    near = range(max(1, where.line - _CONTEXT), min(len(lines), where.line + _CONTEXT) + 1)
    return [str(where), *(f"{'>' if n == where.line else ' '}{n:>5} | {lines[n - 1]}" for n in near)]


def place(folder: str) -> list[str]:
    """Where to read on."""
    page = f"report   {folder}/report.html" if (Path(folder) / "report.html").exists() else ""
    return ["", *filter(None, [page]), f"evidence {folder}"] if folder else []
