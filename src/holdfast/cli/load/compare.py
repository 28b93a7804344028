"""load compare: whether one record of load is slower, or fails more, than another."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli.options import JSON, say, table
from holdfast.units import ratio


class Share(click.ParamType[float]):
    """A share of one, written as a percentage."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read 10% as 0.1."""
        try:
            return ratio(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


FOLDER = click.Path(path_type=Path)


@click.command("compare")
@click.argument("base", metavar="A", type=FOLDER)
@click.argument("new", metavar="B", type=FOLDER)
@click.option(
    "--and", "more", nargs=2, multiple=True, type=FOLDER, metavar="A B", help="A further pair, played in turn."
)
@click.option("--during", multiple=True, metavar="PHASE", help="Only this phase (default: every judged one).")
@click.option("--margin", type=Share(), default="10%", show_default=True, help="B may be slower by this much.")
@click.option("--failing", type=Share(), default="1%", show_default=True, help="And this much more of it may fail.")
@JSON
def command(
    base: Path,
    new: Path,
    more: tuple[tuple[Path, Path], ...],
    during: tuple[str, ...],
    margin: float,
    failing: float,
    *,
    as_json: bool,
) -> int:
    """Compare run folders A and B.  Example: holdfast load compare runs/monday runs/latest

    Says by how much each latency changed, with its interval, and the smallest change that these runs could have shown.
    Machines drift: play A and B in turn, and name the further pairs with --and.
    """
    from holdfast.loadtest.compare import compare, to_dict
    from holdfast.loadtest.difference import Allowed

    sides = [(base, new), *more]
    allowed = Allowed(slower=margin, failing=failing)
    found = compare([one for one, _ in sides], [other for _, other in sides], allowed, during=during)
    if as_json:
        click.echo(json.dumps(to_dict(found), indent=2, allow_nan=False))
        return found.state.exit_code
    rows = [[one.state.name, one.name, one.base, one.new, one.change, one.seen] for one in found.figures]
    table(["", "figure", "A", "B", "change (99 % interval)", "smallest seen"], rows)
    for trouble in found.troubles:
        say(f"not trusted: {trouble}")
    say(f"{found.state.name}: {found.sentence}")
    if not more:
        say("One run a side: what differs from run to run is not in the intervals. Further pairs: --and A B")
    return found.state.exit_code
