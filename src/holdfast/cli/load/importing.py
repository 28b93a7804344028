"""load import: result files of other tools in one table, and our own run beside them in their definitions."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli.options import JSON, say, table
from holdfast.errors import ExitCode


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--beside", type=click.Path(path_type=Path), metavar="RUN", help="Our run, in the same definitions.")
@JSON
def command(files: tuple[Path, ...], beside: Path | None, *, as_json: bool) -> int:
    """Read result files of other tools.  Example: holdfast load import vllm.json --beside runs/latest

    Those of vllm bench serve, GuideLLM, AIPerf and inference-perf, as docs/reference/load-metrics.md lists them.

    Prints what each file says and what cannot be compared; with --beside also what the same tool would have printed
    for RUN, which is the one comparison of like with like.
    """
    from holdfast.definitions import words
    from holdfast.loadtest import exchange_import as exchange

    found = exchange.read_files(files, beside)
    if as_json:
        click.echo(json.dumps(exchange.to_dict(found), indent=2, allow_nan=False))
    else:
        table(list(words.HEAD), words.rows(found.summaries))
    for note in exchange.notes(found):
        say(f"note: {note}")
    return ExitCode.UNKNOWN if found.ours is not None and found.ours.trouble else ExitCode.PASS
