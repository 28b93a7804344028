"""load selftest: how many streams our own client times rightly on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.options import JSON, say, table
from holdfast.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from holdfast.load.selftest.knee import Knee, Step
    from holdfast.load.selftest.stamps import Spread
    from holdfast.loadtest.selftest import Wanted

_COLUMNS = ["streams", "recv ms", "ITL ms", "TTFT ms", "loop lag ms", "CPU", "server late ms", "< 5 ms", "< 2 ms"]
_READ = """\
Errors are p50/p99/max of what this client adds to the truth, which the server stamps: recv, from an event's send to our
read; ITL, of the time between two events; TTFT, of the time to the first. Stay below the count whose errors you can
bear. Nothing is known where the server was late itself (p99 over 2 ms): quieten the machine, or repeat."""


@click.command("selftest")
@click.option("--streams", default="50,100,200,400,600,800", show_default=True, help="Streams open at a time.")
@click.option("--gap", default="20ms", show_default=True, help="From one event of a stream to the next.")
@click.option("--first", default="20ms", show_default=True, help="From a request to its first event.")
@click.option("--tokens", default=64, show_default=True, type=click.IntRange(2, 100_000), help="Events of an answer.")
@click.option("--seconds", default=4.0, show_default=True, type=click.FloatRange(0.5, 600), help="Of each step.")
@click.option("--repeats", default=1, show_default=True, type=click.IntRange(1, 100), help="Of all steps.")
@JSON
def command(
    *, streams: str, gap: str, first: str, tokens: int, seconds: float, repeats: int, as_json: bool
) -> ExitCode:
    """Measure the load client itself: how wrong its times are with how many streams, on this machine.

    A bundled server stamps every event when it sends it; our load process reads them as in any load test. Exits with 1
    when not even the fewest streams are held with errors under 5 ms, with 10 when the server was too late to tell.

    Example: holdfast load selftest --streams 100,400 --seconds 2
    """
    import json
    import os
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from holdfast.load.selftest.knee import in_words, knee
    from holdfast.loadtest.selftest import LIMITS, document, measure, places

    wanted, at = _wanted(streams, first, gap, tokens, seconds, repeats), places(sorted(os.sched_getaffinity(0)))
    say(f"{at}; {_length(wanted)} in all")
    steps: list[Step] = []
    with TemporaryDirectory(prefix="holdfast-selftest-") as folder:
        for step in measure(wanted, at, Path(folder), say):
            steps.append(step)
            say(f"    {step.held(LIMITS[0]).value}: {_row_words(step)}")
    knees = [knee(steps, limit) for limit in LIMITS]
    if as_json:
        click.echo(json.dumps(document(at, steps, knees), indent=2))
    else:
        table(_COLUMNS, [_row(step, LIMITS) for step in steps])
        click.echo("\n".join(["", *map(in_words, knees), "", _READ]))
    return _code(knees[0])


def _wanted(streams: str, first: str, gap: str, tokens: int, seconds: float, repeats: int) -> Wanted:
    from holdfast import units
    from holdfast.load.selftest.server import Pace
    from holdfast.loadtest.selftest import Wanted

    try:
        counts = tuple(sorted({int(word) for word in streams.split(",")}))
        pace = Pace(tokens=tokens, first=units.duration(first), gap=units.duration(gap))
    except ValueError as error:
        raise UsageError(str(error), hint="--streams 50,100,200 --gap 20ms --first 20ms") from error
    if counts[0] < 1 or pace.gap < 0.001:  # noqa: PLR2004
        raise UsageError("a step needs at least one stream, and a gap of at least 1ms")
    return Wanted(streams=counts, pace=pace, seconds=seconds, repeats=repeats)


def _length(wanted: Wanted) -> str:
    step = wanted.seconds + 2 * wanted.pace.seconds + 3
    return f"about {step * len(wanted.streams) * wanted.repeats:.0f}s"


def _row(step: Step, limits: tuple[float, ...]) -> list[str]:
    errors = step.errors
    spreads = [_three(one) for one in (errors.recv, errors.itl, errors.ttft, step.lag)]
    held = [step.held(limit).value for limit in limits]
    return [str(step.streams), *spreads, f"{step.cpu:.0%}", _three(errors.server), *held]


def _row_words(step: Step) -> str:
    row = _row(step, ())
    return ", ".join(f"{name.removesuffix(' ms')} {value}" for name, value in zip(_COLUMNS[1:], row[1:], strict=False))


def _three(spread: Spread) -> str:
    """Milliseconds."""
    shown = (spread.p50, spread.p99, spread.max)
    return "/".join("-" if one is None else f"{one * 1000:.2f}" for one in shown)


def _code(found: Knee) -> ExitCode:
    if found.holds is None:
        return ExitCode.UNKNOWN
    return ExitCode.PASS if found.holds else ExitCode.FAIL
