"""`holdfast gameday`: one scenario with people around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.options import RUNS, STATE, say, workplace
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.app import Outcome, Workplace
    from holdfast.gameday.server import Page
    from holdfast.model.scenario import Trial


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--port", default=0, show_default="any that is free", help="Port of the page, on this machine only.")
@STATE
@RUNS
def gameday(scenario: Path, port: int, state: Path | None, runs: Path | None) -> int:
    """Play a scenario with a live page: what is broken, how the objectives fare, notes, a button that halts.

    Ctrl-C once halts the run and undoes its faults; twice does so without waiting for the experiment. `halt-when:` in
    the scenario halts it when a budget burns too fast. Afterwards gameday.md lies in the run's folder.

    Example: holdfast gameday scenarios/gameday.yaml
    """
    from holdfast import app
    from holdfast.gameday.server import Page
    from holdfast.play import Stage, play
    from holdfast.project import load_scenario
    from holdfast.signals import exit_code, stoppable

    place = workplace(state, runs)
    app.refuse_undecidable([scenario], place)
    with stoppable() as stop, Page(load_scenario(scenario, place.root), stop, _alerts(place), port) as page:
        say(f"game day at {page.url}")
        played = play(scenario, place, Stage(watching=_both(page), stop=stop, heard=_heard(page)))
    code = played.standing.state.exit_code
    signalled = stop.signal is not None and stop.signal.startswith("SIG")
    return exit_code(stop.signal or "") if signalled and code is not ExitCode.NOT_RESTORED else code


def _alerts(place: Workplace) -> Callable[[], Sequence[str]]:
    """What the receiver was told to be firing, looked up when somebody looks."""
    from holdfast.platforms.connect import connect
    from holdfast.sources.alerts import firing

    path = connect(place.state).endpoints().alerts

    def found() -> Sequence[str]:
        try:
            return firing(path)
        except OSError:
            return ("the receiver's file cannot be read: nothing is known of alerts",)

    return found


def _both(page: Page) -> Any:
    """The terminal's own view, and the page."""
    from contextlib import contextmanager

    from rich.console import Console

    from holdfast.watch import Watcher

    @contextmanager
    def watching(title: str, length: float) -> Iterator[Callable[[Any], None]]:
        with Watcher(Console(stderr=True), title, length) as watcher:

            def look(seen: Any) -> None:
                watcher(seen)
                page(seen)

            yield look

    return watching


def _heard(page: Page) -> Callable[[Outcome, Trial | None], None]:
    """The verdict on the terminal and on the page, and the report beside the run."""
    import shutil
    import sys

    from holdfast.report.gameday import gameday as told
    from holdfast.report.terminal import verdict_table
    from holdfast.store.folder import write_whole

    def heard(outcome: Outcome, _: Trial | None) -> None:
        page.over = f"over: {outcome.report.state}"
        width = shutil.get_terminal_size((100, 24)).columns
        click.echo(verdict_table(outcome.report, width, color=sys.stdout.isatty()))
        path = outcome.folder / "gameday.md"
        write_whole(path, told(outcome.report, outcome.timeline))
        click.echo(f"game day: {path}")

    return heard
