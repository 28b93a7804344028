"""chaos undo: every run lets go of its faults, and each is seen gone."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from holdfast.cli.options import JSON, STATE, workplace
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


@click.command("undo")
@click.option("--forget", metavar="ID", help="Take nothing back: call this one over, which you put right yourself.")
@STATE
@JSON
def command(state: Path | None, forget: str | None, *, as_json: bool) -> int:
    """Undo every open fault, newest first, and see it gone.  Example: holdfast chaos undo

    Runs that hold one are made to let go. With --json each fault is one line.
    """
    from holdfast.experiments import standing

    place = workplace(state)
    told = [standing.forget(place.state, place.clock, forget)] if forget else standing.undo(place.state, place.clock)
    for entry in told:
        click.echo(json.dumps(asdict(entry)) if as_json else f"{entry.fault} of {entry.name}: {entry.step}")
    return ExitCode.PASS
