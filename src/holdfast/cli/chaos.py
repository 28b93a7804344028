"""Faults on the running platform from the command line: chaos status, chaos undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.options import STATE, workplace
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def chaos() -> None:
    """Faults on the running platform."""


@chaos.command("status")
@STATE
def chaos_status(state: Path | None) -> int:
    """Faults that may still be there.  Example: holdfast chaos status"""
    from holdfast import app

    found = app.open_faults(workplace(state))
    for entry in found:
        click.echo(f"{entry.fault} of {entry.name}: {entry.step} (run {entry.run})")
    if not found:
        click.echo("no fault is open")
    return ExitCode.NOT_RESTORED if found else ExitCode.PASS


@chaos.command("undo")
@STATE
def chaos_undo(state: Path | None) -> int:
    """Undo every open fault, newest first, and see it gone.  Example: holdfast chaos undo"""
    from holdfast import app

    for entry in app.undo_faults(workplace(state)):
        click.echo(f"{entry.fault} of {entry.name}: {entry.step}")
    return ExitCode.PASS
