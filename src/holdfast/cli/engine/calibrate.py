"""engine calibrate: measure a real engine over a grid, fit the simulator to it, and say how far that is off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from holdfast.cli.options import JSON, say, table
from holdfast.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from holdfast.calibration.cells import Grid
    from holdfast.engines.calibrate import Calibrated, Check, Progress, Wanted

_FILE = click.Path(path_type=Path)
_COUNT = click.IntRange(1)


@click.command("calibrate")
@click.argument("url")
@click.option("--model", help="What it serves; the first of its models by default.")
@click.option("--name", default="measured", show_default=True, help="Of the calibration, and of its files.")
@click.option("--note", default="", help="A sentence for the calibration: how the engine was started.")
@click.option("--max-num-seqs", required=True, type=_COUNT, metavar="N", help="As the engine has it; it tells nobody.")
@click.option("--max-num-batched-tokens", required=True, type=_COUNT, metavar="N", help="The same.")
@click.option("--concurrency", default="1,2,4,8,16,32", show_default=True, help="Requests at a time.")
@click.option("--prompts", default="64,256,1024", show_default=True, help="Tokens of a prompt.")
@click.option("--answers", default="32,128", show_default=True, help="Tokens of an answer.")
@click.option("--repeats", default=1, show_default=True, type=_COUNT, help="Of the whole grid.")
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.5, 600), help="Of a cell, at least.")
@click.option("--check", default="all", show_default=True, type=click.Choice(["all", "held-out", "none"]),
              help="Which cells the simulator is driven over as well.")  # fmt: skip
@click.option("--out", type=_FILE, help="The calibration; NAME.json by default.")
@click.option("--cells", type=_FILE, help="What was measured, a line a cell; NAME.cells.ndjson by default.")
@click.option("--plot", type=_FILE, help="An SVG of both, cell by cell; NAME.svg by default.")
@JSON
def command(url: str, *, as_json: bool, plot: Path | None, check: str, **given: Any) -> int:
    """Make a simulator of a real vLLM.

    Example: holdfast engine calibrate http://127.0.0.1:8000 --max-num-seqs 64 --max-num-batched-tokens 4096

    Every third cell of the grid is held out: the fit never sees it, and the errors there are what counts. A second run
    goes on where the first one stopped, and with every cell measured it does not ask the engine any more. The key,
    where one is needed, is taken from HOLDFAST_API_KEY. Exit code 10: there is no fit, or the engine stopped answering.
    """
    from holdfast.clock import SystemClock
    from holdfast.engines.calibrate import Rig, calibrate
    from holdfast.signals import exit_code, stoppable

    wanted = _wanted(url, check=cast("Check", check), **given)
    _announce(wanted)
    with stoppable() as stop:
        done = calibrate(wanted, Rig(clock=SystemClock(), stop=stop, tell=_tell, say=say))
    if stop.signal:
        say(
            f"stopped by {stop.signal}; what was measured is kept in {wanted.cells}, and the same command goes on there"
        )
        return exit_code(stop.signal)
    _show(wanted, done, plot or Path(f"{wanted.name}.svg"), as_json=as_json)
    return ExitCode.UNKNOWN if done.why or done.fitted is None else ExitCode.PASS


def _wanted(url: str, *, check: Check, **given: Any) -> Wanted:
    import os

    from holdfast.engines.calibrate import Wanted
    from holdfast.engines.cells import Pace
    from holdfast.loadtest.asked import check_address

    check_address(url)
    name = given["name"]
    return Wanted(
        url=url,
        model=given["model"],
        name=name,
        note=given["note"],
        out=given["out"] or Path(f"{name}.json"),
        cells=given["cells"] or Path(f"{name}.cells.ndjson"),
        grid=_grid(given["concurrency"], given["prompts"], given["answers"]),
        repeats=given["repeats"],
        pace=Pace(seconds=given["seconds"], most=12 * given["seconds"]),
        max_num_seqs=given["max_num_seqs"],
        max_num_batched_tokens=given["max_num_batched_tokens"],
        check=check,
        key=os.environ.get("HOLDFAST_API_KEY", ""),
    )


def _grid(concurrency: str, prompts: str, answers: str) -> Grid:
    from holdfast.calibration.cells import Grid

    try:
        counts = [tuple(int(word) for word in text.split(",")) for text in (concurrency, prompts, answers)]
        return Grid(concurrencies=counts[0], prompts=counts[1], answers=counts[2])
    except ValueError as error:
        raise UsageError(str(error), hint="--concurrency 1,2,4,8 --prompts 64,256,1024 --answers 32,128") from error


def _announce(wanted: Wanted) -> None:
    cells = wanted.grid.cells
    share = {"all": 2.0, "held-out": 1 + len(wanted.grid.held_out) / len(cells), "none": 1.0}[wanted.check]
    least = (wanted.pace.seconds + 3) * len(cells) * (wanted.repeats + share - 1) / 60
    say(f"{len(cells)} cells, {len(wanted.grid.held_out)} of them held out; at least {least:.0f} min in all")


def _tell(one: Progress) -> None:
    from holdfast.report.calibration import cell_words

    say(f"  {one.whose} {one.number}/{one.count}  {cell_words(one.seen)}")


def _show(wanted: Wanted, done: Calibrated, plot: Path, *, as_json: bool) -> None:
    from holdfast.report import calibration as told
    from holdfast.report.calibration_plot import drawing
    from holdfast.store.folder import write_whole

    if as_json:
        click.echo(
            told.as_json(
                about=done.about, fitted=done.fitted, found=done.pairs, knees=done.knees, seen=done.seen, why=done.why
            )
        )
    else:
        if done.fitted:
            click.echo("\n".join(told.coefficient_lines(done.fitted)))
        if done.pairs:
            table(list(told.HEAD), told.rows(done.pairs))
            click.echo("\n".join(told.summary_lines(done.pairs)))
        if done.knees:
            table(list(told.KNEE_HEAD), told.knee_rows(done.knees))
        click.echo("\n".join(told.left_out(done.seen)))
    for one in done.why:
        say(f"UNKNOWN: {one}")
    say(f"cells        {wanted.cells}")
    if done.fitted:
        say(f"calibration  {wanted.out}")
    if done.pairs:
        write_whole(plot, drawing(done.pairs))
        say(f"plot         {plot}")
