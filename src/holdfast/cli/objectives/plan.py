"""slo plan: can the alerts of SLO files fire, when, and how often for nothing?"""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.options import JSON, token, workplace
from holdfast.errors import ExitCode, UsageError


@click.command("plan")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--rate", default="", metavar="RATE", help="Events an hour, minute or second: 12/h.")
@click.option("--prometheus", default="", metavar="URL", help="Take the rate of the last day from a Prometheus.")
@click.option("--every", default="1m", show_default=True, help="How often rules are evaluated.")
@JSON
def command(*, files: tuple[Path, ...], rate: str, prometheus: str, every: str, as_json: bool) -> int:
    """Say what the alerts of SLO files can do: when they notice which burn, and how often they fire for nothing.

    Exits with 1 when a page alert can never fire, and with 10 when the server knows no traffic.

    Example: holdfast slo plan slos/gateway.yaml --rate 12/h
    """
    import json

    from holdfast import units
    from holdfast.objectives.plan import Traffic, document, plans_of, text
    from holdfast.sources.server import Asking

    if rate and prometheus:
        raise UsageError("--rate and --prometheus both give the traffic", hint="choose one")
    try:
        asking = Asking(prometheus, token()) if prometheus else None
        traffic = Traffic(given=units.rate(rate) if rate else None, asking=asking)
        seconds = units.duration(every)
    except ValueError as error:
        raise UsageError(str(error)) from error
    chosen = files or tuple(sorted((workplace().root / "slos").glob("*.yaml")))
    plans = plans_of(chosen, traffic, every=seconds)
    if as_json:
        click.echo(json.dumps([document(one) for one in plans], indent=2))
    for one in () if as_json else plans:
        click.echo(text(one))
    return ExitCode.PASS if all(one.feasible for one in plans) else ExitCode.FAIL
