"""load report: what each tool would have printed for this record of load, side by side."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli.options import JSON, say, table
from holdfast.errors import ExitCode
from holdfast.units import duration


class Seconds(click.ParamType[float]):
    """A duration, written with its unit."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read 300ms as 0.3."""
        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "tools",
    multiple=True,
    default=("all",),
    metavar="TOOL",
    help="holdfast, vllm, guidellm, aiperf, inference-perf, mlperf, llmperf, or all of them (default).",
)
@click.option("--ttft", type=Seconds(), help="Goodput: the first token within this time.")
@click.option("--tpot", type=Seconds(), help="Goodput: at most this long per further token.")
@click.option("--e2e", type=Seconds(), help="Goodput: the whole answer within this time.")
@click.option("--gap", type=Seconds(), help="Goodput: no silence inside an answer longer than this.")
@JSON
def command(
    run: Path,
    tools: tuple[str, ...],
    ttft: float | None,
    tpot: float | None,
    e2e: float | None,
    gap: float | None,
    *,
    as_json: bool,
) -> int:
    """Print every tool's figures for RUN.  Example: holdfast load report runs/latest --as vllm --ttft 300ms

    One record, and what each tool calls TTFT, TPOT, ITL and latency, each with its definition. Requests due in a phase
    that is not judged, such as a warmup, are left out.
    """
    from holdfast.definitions import words
    from holdfast.definitions.base import Bounds
    from holdfast.loadtest.exchange import report

    found = report(run, tools, Bounds(ttft=ttft, tpot=tpot, e2e=e2e, gap=gap))
    if as_json:
        click.echo(json.dumps(words.to_dict(found), indent=2, allow_nan=False))
    elif found.summaries:
        table(list(words.HEAD), words.rows(found.summaries))
    say("requests: " + (", ".join(f"{number} {outcome}" for outcome, number in found.outcomes.items()) or "none"))
    for phase, number in found.left_out.items():
        say(f"left out: {number} requests due in {phase}, which is not judged")
    if found.trouble:
        say(f"unknown: {found.trouble}")
    return ExitCode.UNKNOWN if found.trouble else ExitCode.PASS
