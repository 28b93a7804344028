"""load export: a run as the report of another project, for whoever reads those."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Choice(["llm-d"]), required=True, help="llm-d: benchmark report 0.2.1.")
@click.option(
    "--as", "definitions", default="inference-perf", show_default=True, metavar="TOOL", help="Whose definitions."
)
@click.option("--format", "form", type=click.Choice(["json", "yaml"]), default="json", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write this file instead of standard output.")
def command(run: Path, target: str, definitions: str, form: str, out: Path | None) -> int:  # noqa: ARG001 - there is one target
    """Export RUN.  Example: holdfast load export runs/latest --to llm-d --format yaml --out report.yaml

    Latencies are those of answers that came, failures a count beside them; the report says whose definitions it uses.
    """
    import yaml

    from holdfast.errors import ExitCode
    from holdfast.loadtest.exchange_export import llm_d_report
    from holdfast.store.folder import write_whole

    report = llm_d_report(run, definitions)
    text = json.dumps(report, indent=2, allow_nan=False) + "\n"
    if form == "yaml":
        text = yaml.safe_dump(report, sort_keys=False)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_whole(out, text)
    return ExitCode.PASS
