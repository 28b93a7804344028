"""slo generate: Prometheus rules from SLO files, our own or Sloth's."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.options import pairs, workplace
from holdfast.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATH = click.Path(path_type=Path)


@click.command("generate")
@click.argument("files", nargs=-1, type=_PATH, metavar="[FILE|FOLDER]...")
@click.option("-o", "--out", type=_PATH, help="File or folder to write to; - (the default for one file) prints.")
@click.option("--compat", type=click.Choice(["sloth"]), help="The very rules that Sloth 0.16 makes.")
@click.option("--check", "only_check", is_flag=True, help="Only say whether the rules are up to date.")
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME=VALUE", help="Add a label to all rules.")
@click.option("--no-alerts", is_flag=True, help="Leave the alerts out.")
@click.option("--no-recordings", is_flag=True, help="With --compat: leave the recording rules out.")
@click.option("--period", metavar="30d", help="With --compat: the period of all SLOs.  [default: 30d]")
@click.option("--windows", type=_PATH, help="With --compat: a folder of AlertWindows files, instead of Sloth's own.")
@click.option("--sloth-version", metavar="TEXT", help="With --compat: the version to name.  [default: v0.16.0]")
def command(files: tuple[Path, ...], out: Path | None, *, compat: str | None, only_check: bool, **chosen: Any) -> int:
    """Write Prometheus rules: of the files named, or of slos/ to slos/rules/.

    Example: holdfast slo generate slos -o rules --compat sloth
    """
    sloths = ("no_recordings", "period", "windows", "sloth_version")
    if not compat and any(chosen[name] for name in sloths):
        raise UsageError("--no-recordings, --period, --windows and --sloth-version need --compat sloth")
    if not files and (compat or out or any(chosen.values())):
        raise UsageError("name the SLO files", hint="holdfast slo generate slos -o rules --compat sloth")
    with _uncollected():
        made = _project() if not files else _made(files, None if out == Path("-") else out, bool(compat), chosen)
        return _finish(made, only_check=only_check)


@contextmanager
def _uncollected() -> Iterator[None]:
    """A second's work that keeps nearly all it makes: looking for garbage would take as long again.

    What there is at the end goes with the process; frozen, it is not searched either.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()


def _project() -> dict[Path | None, str]:
    from holdfast.objectives.generate import rule_files

    root = workplace().root
    return {_near(root / "slos" / "rules" / name): text for name, text in rule_files(root).items()}


def _near(path: Path) -> Path:
    """The path from here, where it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _made(files: tuple[Path, ...], out: Path | None, compat: bool, chosen: dict[str, Any]) -> dict[Path | None, str]:
    from holdfast.objectives.destinations import places

    found, labels, alerts = places(files, out), pairs(chosen["labels"]), not chosen["no_alerts"]
    if not compat:
        from datetime import UTC, datetime

        from holdfast.objectives.generate import native_files

        return native_files(found, datetime.now(UTC), labels=labels, alerts=alerts)
    from holdfast.objectives.compat import Choice, sloth_files

    choice = Choice(
        labels=labels,
        alerts=alerts,
        recordings=not chosen["no_recordings"],
        period=chosen["period"] or "30d",
        windows=chosen["windows"],
        version=chosen["sloth_version"] or "v0.16.0",
    )
    return sloth_files(found, choice)


def _finish(made: dict[Path | None, str], *, only_check: bool) -> int:
    from holdfast.objectives.destinations import stale, write

    changed = stale(made)
    if not only_check:
        write(made, changed)
        if None in made:
            click.echo(made[None], nl=False)
    said = "stale" if only_check else "wrote"
    click.echo("".join(f"{said} {path}\n" for path in changed), nl=False)
    return ExitCode.FAIL if only_check and changed else ExitCode.PASS
