"""The embedded platform from the command line: doctor, up, status, logs, down."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.options import JSON, PROFILE, SET, STATE, pairs, say, table, workplace
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.app import Workplace
    from holdfast.platforms.tools import Row


@click.command()
@JSON
def doctor(*, as_json: bool) -> int:
    """What is installed, what is missing, how to get it.  Example: holdfast doctor"""
    from dataclasses import asdict

    from holdfast import app, project
    from holdfast.errors import UsageError
    from holdfast.platforms import tools

    try:
        root = project.find_root(Path.cwd())
    except UsageError:
        root = None  # a machine can be looked at before there is a project
    rows = tools.survey(
        path=os.environ.get("PATH", os.defpath),
        cache=tools.cache_folder(os.environ),
        given=app.programs(root, os.environ),
    )
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], default=str, indent=2))
    else:
        table(["tool", "version", "needed for"], [[row.tool, _found(row), row.needed_for] for row in rows])
        missing = [row.get for row in rows if not row.good]
        click.echo("\n".join(["", "To get what is missing:", *dict.fromkeys(missing)] if missing else []))
    return ExitCode.PASS if all(row.good or row.optional for row in rows) else ExitCode.USAGE


def _found(row: Row) -> str:
    if row.good:
        return row.version
    return f"{row.version} is too old" if row.version else "missing (optional)" if row.optional else "missing"


@click.command()
@PROFILE
@STATE
@SET
@click.option("--port", "ports", multiple=True, metavar="NAME=PORT", help="Fix a port, as in gateway=8080.")
@click.option("--wait", type=float, help="Seconds until everything must be ready.  [default: the profile's]")
def up(profile: str, state: Path | None, settings: tuple[str, ...], ports: tuple[str, ...], wait: float | None) -> int:
    """Start the embedded platform and wait until it is ready.  Example: holdfast up --port gateway=8080"""
    place = workplace(state)
    fixed = {name: _port(value) for name, value in pairs(ports).items()}
    bring_up(place, profile, pairs(settings), fixed, wait)
    return ExitCode.PASS


def bring_up(
    place: Workplace, profile: str, settings: Mapping[str, str], ports: Mapping[str, int], wait: float | None = None
) -> None:
    """Start the platform, telling each step, and say where its gateway and Prometheus are."""
    from holdfast import app

    def tell(step: Any) -> None:
        say(f"{step.seconds:5.1f}s  {step.name:<14} {step.state}")

    driver = app.up(place, profile=profile, options=settings, ports=ports, report=tell, wait=wait)
    say(f"gateway     {driver.endpoints().gateway}")
    say(f"prometheus  {driver.endpoints().prometheus}")


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:  # noqa: PLR2004 - ports are 16 bit
        raise click.BadParameter(f"expected a port between 1 and 65535, got {text!r}")
    return int(text)


@click.command()
@STATE
@JSON
def status(state: Path | None, *, as_json: bool) -> int:
    """Each process of the platform and whether it is ready.  Example: holdfast status --json"""
    from dataclasses import asdict

    from holdfast.platforms import lifecycle

    rows = lifecycle.status(workplace(state).state)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        shown = [[row.name, row.role, row.state, str(row.pid or ""), str(row.port or ""), row.detail] for row in rows]
        table(["name", "role", "state", "pid", "port", ""], shown)
    return ExitCode.PASS if rows and all(row.state == "ready" for row in rows) else ExitCode.INFRASTRUCTURE


@click.command()
@click.argument("name")
@STATE
@click.option("-n", "--lines", default=40, show_default=True, help="How many lines from the end.")
def logs(name: str, state: Path | None, lines: int) -> int:
    """The end of one process's log.  Example: holdfast logs gateway-1 -n 100"""
    from holdfast.platforms import lifecycle

    path = lifecycle.log_path(workplace(state).state, name)
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    click.echo("\n".join(text.splitlines()[-lines:]))
    return ExitCode.PASS


@click.command()
@STATE
def down(state: Path | None) -> int:
    """Stop the platform; no process and no port is left.  Example: holdfast down"""
    from holdfast.platforms import lifecycle

    lifecycle.down(workplace(state).state)
    say("down")
    return ExitCode.PASS
