"""`holdfast budget`: what became of the error budgets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.options import JSON, say, table, token, workplace
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.slo.review.model import Review
    from holdfast.sources.history import Ask

_FILE = click.Path(path_type=Path)


@click.group()
def budget() -> None:
    """What became of the error budgets of the SLOs in slos/."""


@budget.command("report")
@click.option("--prometheus", "url", metavar="URL", help="Where the rules of the SLOs are evaluated.")
@click.option("--metrics", type=_FILE, help="Samples in a file (OpenMetrics) instead of a server.")
@click.option("--month", default="", metavar="2026-10", help="The last whole month by default.")
@click.option("--zone", default="UTC", show_default=True, help="Whose clocks and days: an IANA time zone.")
@click.option("--runs", "runs", type=_FILE, help="Folder of chaos runs that may have spent budget.")
@click.option("--incidents", type=_FILE, help="YAML list of incidents: name, start, end, slos.")
@click.option("--raw", is_flag=True, help="Ask the SLOs' own queries, not what their rules recorded.")
@click.option("--out", type=_FILE, help="Folder for budget-MONTH.html, .md and .json.")
@click.option("--seed", default=0, show_default=True, help="Of the forecast's draws.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the Markdown.")
@JSON
def report(
    url: str | None,
    metrics: Path | None,
    month: str,
    zone: str,
    runs: Path | None,
    incidents: Path | None,
    out: Path | None,
    seed: int,
    *,
    raw: bool,
    as_markdown: bool,
    as_json: bool,
) -> int:
    """Error-budget review of a month.  Example: holdfast budget report --prometheus http://localhost:9090

    Exit code 0: every SLO has budget left, whatever nobody saw; 1: one has none; 10: that cannot be told.
    """
    from holdfast.objectives.budget import review_of
    from holdfast.report import budget as told
    from holdfast.report.budget_words import partial, tally

    place = workplace()
    ask, source = _source(url, metrics)
    found = review_of(
        place.root, ask, source=source, now=place.clock.wall(), month=month, zone=zone, runs=runs,
        incidents=incidents, raw=raw, seed=seed,
    )  # fmt: skip
    if out is not None:
        _write(found, out)
    if as_json:
        click.echo(json.dumps(told.to_dict(found), indent=2, allow_nan=False))
    elif as_markdown:
        click.echo(told.markdown(found), nl=False)
    else:
        table(list(told.HEAD), told.rows(found))
        say(f"{found.month.name}: {tally(found)}. {partial(found)}".rstrip())
    return found.state.exit_code


def _source(url: str | None, metrics: Path | None) -> tuple[Ask, str]:
    """Who is asked, and what the report calls them. Raises UsageError unless exactly one is named."""
    from holdfast.sources import history

    if (url is None) == (metrics is None):
        raise UsageError("name one source of counts", hint="--prometheus URL, or --metrics FILE")
    if url is not None:
        from holdfast.sources.server import Asking

        asking = Asking(url, token())
        return history.connect(asking), asking.address
    from holdfast.objectives.budget import ask_file

    return ask_file(Path(str(metrics))), str(metrics)


def _write(found: Review, folder: Path) -> None:
    from holdfast.report import budget as told
    from holdfast.store.folder import write_json, write_whole

    base = folder / f"budget-{found.month.name}"
    write_whole(base.with_suffix(".html"), told.page(found))
    write_whole(base.with_suffix(".md"), told.markdown(found))
    write_json(base.with_suffix(".json"), told.to_dict(found))
    say(f"wrote {base}.html, .md and .json")
