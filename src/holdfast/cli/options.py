"""What the commands share: their common options, where they work, how they speak."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from holdfast.app import Workplace

STATE = click.option(
    "--state", type=click.Path(path_type=Path), envvar="HOLDFAST_STATE", help="Folder of the platform's state."
)
RUNS = click.option("--runs", type=click.Path(path_type=Path), envvar="HOLDFAST_RUNS", help="Folder of all runs.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for machines.")
SET = click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Override a profile's option.")
PROFILE = click.option("--profile", default="sim", show_default=True, help="A file of platform/local/.")


_WIDE = 240


def say(text: str) -> None:
    """Tell the person, not the pipe: standard error."""
    click.echo(text, err=True)


def token() -> str:
    """The bearer token for the Prometheus that an option names; empty without one."""
    from holdfast.sources.server import TOKEN

    return os.environ.get(TOKEN, "")


def workplace(state: Path | None = None, runs: Path | None = None) -> Workplace:
    """The project around the current folder. Raises UsageError when there is none."""
    from holdfast import app, project, settings

    root = project.find_root(Path.cwd())
    defaults = settings.read(root)
    return app.Workplace(
        root=root,
        state=(state or root / defaults.state).resolve(),
        runs=(runs or root / defaults.runs).resolve(),
    )


def pairs(words: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE words as a mapping. Raises click.BadParameter."""
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise click.BadParameter(f"expected NAME=VALUE, got {wrong[0]!r}")
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print rows under a head."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(*head, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*row)
    # A pipe has no width: nothing is cut for it.
    Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else _WIDE).print(shown)
