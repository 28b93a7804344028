"""slo test: the tests that every SLO's rules come with, run by promtool."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.options import JSON, say, workplace
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.objectives.trial import Trial

_PATH = click.Path(path_type=Path)
_SHOWN = 10


@click.command("test")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("-o", "--out", type=_PATH, metavar="DIR", help="Keep the rules and their tests in this folder.")
@click.option("--junit", type=_PATH, metavar="FILE", help="Write a JUnit report.")
@JSON
def command(*, files: tuple[Path, ...], out: Path | None, junit: Path | None, as_json: bool) -> int:
    """Test the rules of SLO files, of all in slos/ by default: does each alert fire when it should, and only then?

    Exits with 1 when an expectation does not hold, and with 10 when an SLI is one that no tests can be written for.

    Example: holdfast slo test slos/gateway.yaml -o /tmp/tests
    """
    from datetime import UTC, datetime
    from tempfile import TemporaryDirectory

    from holdfast.objectives.lint import slos_of
    from holdfast.objectives.trial import outcome, tried
    from holdfast.sources.promtool import find

    chosen = files or tuple(sorted((workplace().root / "slos").glob("*.yaml")))
    _, slos = slos_of(chosen)
    trials: list[Trial] = []
    with TemporaryDirectory(prefix="holdfast-slo-test-") as folder:
        for trial in tried(slos, out or Path(folder), find(os.environ), datetime.now(UTC)):
            trials.append(trial)
            if not as_json:
                click.echo("\n".join(_lines(trial)))
    _report(trials, junit, as_json=as_json)
    state = outcome(trials)
    say(f"{len(trials)} SLOs, {sum(one.checks for one in trials)} expectations: {state}")
    return _CODES.get(state.value, ExitCode.UNKNOWN)


_CODES = {"PASS": ExitCode.PASS, "FAIL": ExitCode.FAIL}


def _report(trials: Sequence[Trial], junit: Path | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(_document(trials))
    if junit:
        from holdfast.objectives.trial import junit_of
        from holdfast.store.folder import write_whole

        write_whole(junit, junit_of(trials))


def _lines(trial: Trial) -> Iterator[str]:
    """One line, and for each expectation that does not hold what was expected and what there was."""
    yield f"{trial.state:<8} {trial.sentence}"
    for one in trial.failed[:_SHOWN]:
        yield f"    {one.case or one.expr}, at {one.at}"
        yield f"        expected {one.wanted or 'nothing'}"
        yield f"        got      {one.got or 'nothing'}"
    if len(trial.failed) > _SHOWN:
        yield f"    and {len(trial.failed) - _SHOWN} more"


def _document(trials: Sequence[Trial]) -> str:
    import json
    from dataclasses import asdict

    found = [
        {
            "slo": one.slo.id,
            "file": one.slo.where.file,
            "line": one.slo.where.line,
            "state": one.state.value,
            "expectations": one.checks,
            "why": one.why,
            "failed": [asdict(failed) for failed in one.failed],
        }
        for one in trials
    ]
    return json.dumps({"slos": found}, indent=2)
