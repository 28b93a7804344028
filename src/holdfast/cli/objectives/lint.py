"""slo lint: does what the SLO files ask for exist?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.options import JSON, say, token, workplace
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from holdfast.objectives.lint import Linted

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("lint")
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--prometheus", default="", metavar="URL", help="Lint against what a Prometheus has.")
@click.option("--metrics", multiple=True, type=_FILE, help="Lint against a saved page of metrics; more than once.")
@click.option("--rules", multiple=True, type=_FILE, help="Also look at the rules of a file; more than once.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@JSON
def command(
    *,
    files: tuple[Path, ...],
    prometheus: str,
    metrics: tuple[Path, ...],
    rules: tuple[Path, ...],
    strict: bool,
    as_json: bool,
) -> int:
    """Hold the queries of SLO files against what exists: metrics, labels, bucket edges, retention, alerts.

    Exits with 1 on errors, and with 10 when the server could not be asked.

    Example: holdfast slo lint slos/gateway.yaml --prometheus http://127.0.0.1:9090
    """
    import time

    from holdfast.objectives.lint import lint_files

    chosen = files or tuple(sorted((workplace().root / "slos").glob("*.yaml")))
    linted = lint_files(chosen, prometheus=prometheus, token=token(), metrics=metrics, rules=rules, now=time.time())
    if as_json:
        click.echo(_document(linted))
    else:
        for one in linted.findings:
            click.echo(f"{one}\n")
    for what in linted.unasked:
        say(f"not checked: the server does not tell its {what}")
    say(", ".join(f"{one}: {linted.count(one)}" for one in ("error", "warning", "info")) + f" in {linted.slos} SLO(s)")
    failed = linted.count("error") + (linted.count("warning") if strict else 0)
    return ExitCode.FAIL if failed else ExitCode.PASS


def _document(linted: Linted) -> str:
    import json

    findings = [
        {
            "code": one.problem.code,
            "severity": one.severity,
            "file": one.problem.where.file,
            "line": one.problem.where.line,
            "column": one.problem.where.column,
            "width": one.problem.width,
            "what": one.problem.what,
            "hint": one.problem.hint,
        }
        for one in linted.findings
    ]
    return json.dumps({"slos": linted.slos, "findings": findings, "unasked": linted.unasked}, indent=2)
