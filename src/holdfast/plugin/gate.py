"""A pytest session as a gate: collects scenarios, carries verdicts to the controller, ends with a code that is true."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from holdfast import project
from holdfast.errors import ExitCode, UsageError
from holdfast.model.verdict import State
from holdfast.plugin.exit_code import Judged, Tally, from_properties
from holdfast.plugin.freezing import Unfrozen, reason
from holdfast.plugin.items import ScenarioFile, is_scenario
from holdfast.plugin.leaving import never_green
from holdfast.plugin.runs import RUNS, Player, Refused, Runs, Stored, workplace
from holdfast.signals import exit_code
from holdfast.sources.server import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import FrameType

    from holdfast.app import Workplace
    from holdfast.run import Glimpse

_WORDS: Final = {
    State.UNKNOWN: ("unknown", "?", ("UNKNOWN", {"yellow": True})),
    State.NOT_RESTORED: ("not restored", "!", ("NOT_RESTORED", {"purple": True})),
}
_SHOWN: Final = 20
"""Lines of what was not proved; the rest is counted."""


class Gate:
    """The hooks of one session; under xdist there is one on the controller and one on each worker."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.tally = Tally()
        self.partial = bool(config.getoption("holdfast_partial"))
        self.worker = hasattr(config, "workerinput")
        self.share = Path(getattr(config, "workerinput")["holdfast_share"]) if self.worker else None  # noqa: B009
        self.player = Player(
            place=self._place,
            subject=config.getoption("holdfast_subject"),
            watching=self._watching,
            share=self.share,
        )
        stored = config.getoption("holdfast_judge")
        self.unfrozen = Unfrozen(
            play=Stored(texts=stored, place=self._place) if stored else self.player,
            place=self._place,
            despite=reason(config.getoption("holdfast_despite_freeze")),
            token=os.environ.get(TOKEN, ""),
        )
        self.runs = Runs(self.unfrozen, self.share)
        config.stash[RUNS] = self.runs
        self.code = 0
        self._before: Any = None
        self._leave: Any = None

    def _place(self, root: Path) -> Workplace:
        option = self.config.getoption
        start = self.config.invocation_params.dir
        return workplace(root, self._state(), option("holdfast_runs"), start)

    def _state(self) -> str | None:
        """The platform of this worker, in turn: with as many platforms as workers each has its own."""
        given: list[str | None] = self.config.getoption("holdfast_state") or [os.environ.get("HOLDFAST_STATE")]
        worker = getattr(self.config, "workerinput", {}).get("workerid", "gw0")
        return given[int(worker.removeprefix("gw")) % len(given)]

    @contextmanager
    def _watching(self, title: str, length: float) -> Iterator[Callable[[Glimpse], None]]:
        """Lines on the terminal while a scenario is played; nowhere on a worker, which has none."""
        from rich.console import Console

        from holdfast.watch import Watcher

        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or reporter.verbosity < 0:
            yield lambda _: None
            return
        reporter.ensure_newline()
        console = Console(file=reporter, force_terminal=False, width=200)
        with Watcher(console, title, length) as watch:
            yield watch

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """A scenario becomes a file of tests."""
        return ScenarioFile.from_parent(parent, path=file_path) if is_scenario(file_path) else None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """Note what a scenario expects before anything can be deselected."""
        report = yield
        if isinstance(collector, ScenarioFile) and report.passed:
            self.tally.expected[str(collector.path.resolve())] = [item.nodeid for item in report.result]
        return report

    def pytest_sessionstart(self) -> None:
        """SIGTERM ends the session like any other end, so that fixtures take down what they set up."""
        if not self.worker:
            self._before = signal.signal(signal.SIGTERM, self._terminated)
            self._leave = os._exit
            os._exit = never_green(os._exit, os.getpid(), self._last_words)  # type: ignore[assignment]

    def _terminated(self, number: int, _: FrameType | None) -> None:
        self.player.halt("SIGTERM ended the session")
        pytest.exit("SIGTERM", returncode=int(exit_code(signal.Signals(number).name)))

    def _last_words(self, text: str) -> None:
        """On the terminal, although the process ends without another hook."""
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if capture:
            capture.suspend_global_capture(in_=True)
        if reporter:
            reporter.ensure_newline()
            reporter.write_line(text)
            reporter.flush()

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C at the controller reaches runs on its workers too."""
        self.player.halt("SIGINT ended the session")

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self) -> None:
        """End the session after a run that a signal ended; on a worker the controller does that."""
        if self.player.signal and not self.worker:
            pytest.exit(f"{self.player.signal} ended the run", returncode=int(exit_code(self.player.signal)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give every worker the same folder to meet in."""
        self.share = self.share or Path(tempfile.mkdtemp(prefix="holdfast-"))
        self.player.share = self.share
        node.workerinput["holdfast_share"] = str(self.share)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker collected."""
        told = getattr(node, "workeroutput", {}).get("holdfast", {})
        self.tally.expected |= told.get("expected", {})
        self.tally.broken |= told.get("broken", False)
        self.tally.despite += [line for line in told.get("despite", ()) if line not in self.tally.despite]

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, Any] | None:
        """UNKNOWN and NOT_RESTORED have letters of their own; both are failures."""
        judged = _judged(report)
        if report.when != "call" or not report.failed or judged is None:
            return None
        return _WORDS.get(judged.state)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a verdict once, and every failure that is none."""
        judged = _judged(report) if report.when == "call" else None
        if judged:
            self.tally.judged.append(judged)
        if report.failed and (judged is None or judged.state is State.PASS):
            self.tally.foreign += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be collected is a failure too."""
        self.tally.foreign += report.failed

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """On a worker, hand over; on the controller, raise the exit code to what is true."""
        self.tally.broken |= any(_left_broken(found) for found in self.runs.known.values())
        if self.worker:
            told = {"expected": self.tally.expected, "broken": self.tally.broken, "despite": self.unfrozen.told}
            getattr(self.config, "workeroutput")["holdfast"] = told  # noqa: B009 - xdist adds it
            return
        self.tally.despite += self.unfrozen.told
        self._expect_all_files()
        self.code = self.tally.exit_code(int(session.exitstatus), partial=self.partial)
        session.exitstatus = self.code

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            os._exit = self._leave
        if self.share and not self.worker:
            shutil.rmtree(self.share, ignore_errors=True)

    def _expect_all_files(self) -> None:
        """A scenario below a named folder that was ignored on the way is expected, and missing."""
        for argument in self.config.args:
            folder = (self.config.invocation_params.dir / argument.partition("::")[0]).resolve()
            for path in _scenarios_below(folder):
                self.tally.expected.setdefault(str(path), [project.name_in(self.config.rootpath, path)])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line a scenario, then what was not proved and why the code is what it is."""
        terminalreporter.section("holdfast")
        for category, _, _ in _WORDS.values():
            for report in terminalreporter.stats.get(category, []):
                terminalreporter.write_sep("_", report.nodeid)
                terminalreporter.write_line(report.longreprtext)
        for line in summary(self.tally, self.code, partial=self.partial):
            terminalreporter.write_line(line)
        if self.config.getoption("collectonly"):
            terminalreporter.write_line("--collect-only: nothing was judged")


def summary(tally: Tally, code: int, *, partial: bool) -> list[str]:
    """The last lines of a session."""
    runs = {one.scenario: one for one in tally.judged}
    lines = [f"{one.run:<12} {name}  {one.folder or 'no record'}" for name, one in runs.items()]
    lines += [
        f"{'':<12} {one.folder}/report.html" for one in runs.values() if (Path(one.folder) / "report.html").exists()
    ]
    lines += tally.despite
    gaps = tally.gaps(partial=partial)
    lines += gaps[:_SHOWN] + ([f"and {len(gaps) - _SHOWN} more"] if len(gaps) > _SHOWN else [])
    known = code in set(ExitCode)
    return [*lines, f"exit code {code}" + (f" ({ExitCode(code).name})" if known and code else "")]


def _judged(report: Any) -> Judged | None:
    return from_properties(dict(getattr(report, "user_properties", ())))


def _left_broken(found: Any) -> bool:
    state = found.state if isinstance(found, Refused) else found.standing.state
    return state is State.NOT_RESTORED


def _scenarios_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    try:
        root = project.find_root(folder)
    except UsageError:
        return []
    return [path for path in project.scenario_files(root) if path.is_relative_to(folder)]
