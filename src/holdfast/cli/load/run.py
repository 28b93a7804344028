"""load run: offer a profile to any address, watch it, and say what came back; nothing is judged but the load itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from holdfast.cli.load.report import Seconds
from holdfast.cli.options import JSON, RUNS, say, table, workplace
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.loadtest.run import Loaded

_READ = "ttft and e2e count from when a request was due, a failed one is infinite; itl is from one read to the next"


@click.command("run")
@click.argument("profile")
@click.option("--host", required=True, metavar="URL", help="What to load: http://127.0.0.1:8080.")
@click.option("--for", "length", type=Seconds(), default="60s", show_default=True, help="How long, after the warmup.")
@click.option("--warmup", type=Seconds(), default="5s", show_default=True, help="Load before it that does not count.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same schedule and prompts.")
@RUNS
@JSON
def command(
    profile: str, host: str, length: float, warmup: float, seed: int, runs: Path | None, *, as_json: bool
) -> int:
    """Offer load to any address.  Example: holdfast load run chat-peak --host http://127.0.0.1:8080 --for 60s

    PROFILE is one of loadtests/. The key, where one is needed, is taken from HOLDFAST_API_KEY. Exit code 0 says that
    the load was offered whole and on time, even if every request failed: the summary says how the server did. 10 says
    that it was not, so that the numbers are the client's and not the server's.
    """
    from rich.console import Console

    from holdfast.loadtest.run import Wanted, play, prepare, to_dict
    from holdfast.signals import exit_code, stoppable
    from holdfast.watch import Watcher

    place = workplace(runs=runs)
    wanted = Wanted(
        root=place.root, runs=place.runs, profile=profile, host=host, length=length, warmup=warmup, seed=seed
    )
    scenario = prepare(wanted)
    with stoppable() as stop, Watcher(Console(stderr=True), scenario.title, scenario.length) as watch:
        loaded = play(wanted, scenario, clock=place.clock, stop=stop, watch=watch)
    if as_json:
        click.echo(json.dumps(to_dict(loaded), indent=2, allow_nan=False))
    else:
        _show(loaded)
    if stop.signal:
        say(f"stopped by {stop.signal}; what was recorded is kept in {loaded.folder}")
        return exit_code(stop.signal)
    return ExitCode.PASS if loaded.valid else ExitCode.UNKNOWN


def _show(loaded: Loaded) -> None:
    from holdfast.definitions.base import E2E, ITL, TTFT
    from holdfast.definitions.words import milliseconds

    rows = [(name, loaded.summary.rows[name]) for name in (TTFT, ITL, E2E)]
    shown = [[name, str(one.n), *map(milliseconds, (one.p50, one.p90, one.p99))] for name, one in rows]
    failed, rates = sum(loaded.failed.values()), loaded.summary.rates
    click.echo(f"requests  {loaded.summary.requests} in {loaded.seconds:.4g} s")
    classes = ", ".join(f"{outcome} {count}" for outcome, count in loaded.failed.items())
    click.echo(f"failed    {failed}{f' ({classes})' if classes else ''}")
    click.echo(f"sent      {_rate(loaded.rate)}")
    click.echo(f"answered  {_rate(rates.requests)}, {_rate(rates.tokens, ' tokens')}")
    table(["", "n", "p50", "p90", "p99"], shown)
    click.echo(_READ)
    click.echo("load valid" if loaded.valid else f"load invalid: {'; '.join(loaded.troubles)}")
    click.echo(f"record    {loaded.folder}")


def _rate(value: float | None, what: str = "") -> str:
    return "unknown" if value is None else f"{value:.4g}{what}/s"
