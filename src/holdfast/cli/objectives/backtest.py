"""slo backtest: what would these SLOs have said, and whom would they have woken?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from holdfast.cli.options import JSON, say, table, token, workplace
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from holdfast.objectives.backtest import Backtested, Trial
    from holdfast.slo.evaluate.backtest import Backtest
    from holdfast.slo.evaluate.score import Score

_FILE = click.Path(path_type=Path, dir_okay=False)
_SHOWN = 10
_LIKE: dict[str, Literal[2, 3]] = {"2": 2, "3": 3}


@click.command("backtest")
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--prometheus", default="", metavar="URL", help="Take the samples from a Prometheus.")
@click.option("--metrics", type=_FILE, help="Take them from an OpenMetrics file with timestamps.")
@click.option("--from", "start", default="", metavar="TIME", help="2026-11-01, 2026-11-01T08:00Z, or 30d for ago.")
@click.option("--to", "end", default="", metavar="TIME", help="The same; by default now, or where the file ends.")
@click.option("--step", default="1m", show_default=True, help="How often the rules are evaluated.")
@click.option("--like", type=click.Choice(["2", "3"]), help="As Prometheus 2 or 3; the server's own, or 2, by default.")
@click.option("--objectives", default="", metavar="LIST", help="Also try these, in percent: 99,99.5,99.9.")
@click.option("--incidents", type=_FILE, help="YAML list of incidents, to see which the alerts would have told.")
@click.option("--html", type=_FILE, help="Write a page with a picture of each budget.")
@JSON
def command(
    *,
    files: tuple[Path, ...],
    prometheus: str,
    metrics: Path | None,
    start: str,
    end: str,
    step: str,
    like: str | None,
    objectives: str,
    incidents: Path | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Evaluate the rules of SLO files over past samples: budgets, alerts, other objectives.

    Exits with 10 when an SLO could not be decided: no samples, or a server that did not answer.

    Example: holdfast slo backtest --prometheus http://127.0.0.1:9090 --from 30d --objectives 99,99.5
    """
    from holdfast.objectives.backtest import History, backtest_files, span_of, tried

    chosen = files or tuple(sorted((workplace().root / "slos").glob("*.yaml")))
    found = backtest_files(
        chosen,
        History(prometheus=prometheus, token=token(), metrics=metrics, like=_LIKE.get(like or "")),
        span_of(start, end, step, now=_now(), recorded=metrics is not None),
        objectives=tried(objectives),
        incidents=incidents,
    )
    if html:
        _write(html, found)
    if as_json:
        click.echo(_document(found))
    else:
        _print(found)
    for name in found.undecided:
        say(f"UNKNOWN {name}: nothing can be said of it")
    return ExitCode.UNKNOWN if found.undecided else ExitCode.PASS


def _now() -> float:
    import time

    return time.time()


def _pairs(trials: tuple[Trial, ...]) -> list[tuple[Backtest, tuple[Score, ...]]]:
    return [(one.result, one.scores) for one in trials]


def _document(found: Backtested) -> str:
    import json

    from holdfast.report.backtest import to_dict

    return json.dumps(to_dict(found.source, _pairs(found.trials), _pairs(found.others)), indent=2, allow_nan=False)


def _write(path: Path, found: Backtested) -> None:
    from holdfast.report.backtest import page
    from holdfast.store.folder import write_whole

    write_whole(path, page(found.source, _pairs(found.trials), _pairs(found.others), found.incidents))
    say(f"wrote {path}")


def _print(found: Backtested) -> None:
    from holdfast.report import backtest as words

    say(f"{words.moment(found.start)} to {words.moment(found.end)} UTC from {found.source}")
    everyone = (*found.trials, *found.others)
    ordered = sorted(everyone, key=lambda one: [trial.result.slo.id for trial in found.trials].index(one.result.slo.id))
    table(list(words.HEAD), [words.row(one.result) for one in ordered])
    scores = [row for one in ordered for row in words.score_rows(one.result, one.scores)]
    if scores:
        click.echo()
        table(list(words.SCORE_HEAD), scores)
    for one in found.trials:
        click.echo(f"\n{one.result.slo.id}")
        for note in words.notes(one.result):
            click.echo(f"  {note}")
        for firing in one.result.firings[:_SHOWN]:
            fired, cleared, lasted, alert, severity, tier = words.firing_row(firing, found.end + found.step)
            click.echo(f"  {fired} to {cleared} ({lasted})  {severity} {alert} {tier}")
        if len(one.result.firings) > _SHOWN:
            click.echo(f"  and {len(one.result.firings) - _SHOWN} more: --json or --html has all")
        if not one.result.firings:
            click.echo("  no alert would have fired")
