"""chaos status: faults that may still be on the platform, and who holds them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from holdfast.cli.options import JSON, STATE, workplace
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


@click.command("status")
@STATE
@JSON
def command(state: Path | None, *, as_json: bool) -> int:
    """Faults that may still be there, who holds each and for how long.  Example: holdfast chaos status"""
    from holdfast.experiments.standing import standing

    place = workplace(state)
    found = standing(place.state, place.clock)
    if as_json:
        told = {"schema": "holdfast/chaos-status/v1", "open": [one.as_dict() for one in found]}
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo("\n".join(map(str, found)) or "no fault is open")
    return ExitCode.NOT_RESTORED if found else ExitCode.PASS
