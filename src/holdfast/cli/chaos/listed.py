"""chaos list: which faults there are, which can be had here, and which experiments use them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from holdfast.cli.options import JSON, STATE, table, workplace
from holdfast.errors import ExitCode, PlatformError

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.experiments.listing import Row


@click.command("list")
@STATE
@JSON
def command(state: Path | None, *, as_json: bool) -> int:
    """Every fault, what it needs and whether it is there; every experiment.  Example: holdfast chaos list

    Where a platform is up it is asked too; without one only this machine and user are.
    """
    from holdfast.experiments.listing import as_dict, experiment_rows, fault_rows, not_run
    from holdfast.platforms.connect import connect

    place = workplace(state)
    try:
        driver = connect(place.state)
    except PlatformError:
        driver = None
    rows, known = fault_rows(driver), experiment_rows(place.root)
    if as_json:
        click.echo(json.dumps(as_dict(rows, known, driver), indent=2))
        return ExitCode.PASS
    table(["fault", "family", "the target is", "needs", "here"], [_row(one) for one in rows])
    click.echo("" if driver else "\nno platform is up: what it can do was not asked\n")
    table(
        ["experiment", "strikes", "here", "title"],
        [[one.name, ", ".join(one.strikes), not_run(one, driver) or "yes", one.title or one.trouble] for one in known],
    )
    return ExitCode.PASS


def _row(one: Row) -> list[str]:
    here = f"no: {'; '.join(one.lacks)}" if one.lacks else "yes"
    return [one.name, one.family, one.title, ", ".join(one.needs) or "-", here]
