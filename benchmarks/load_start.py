"""How soon the load client sends its first request, and what it costs to keep what a request and a token told.

Start: from the birth of the process, Locust and all, to the stamped server's own stamp of the first arrival; once with
nothing compiled, as where PYTHONDONTWRITEBYTECODE is set and the installer compiled nothing, then as usual. Cost: CPU
from a parsed answer to its line in the record, and apart from it that of reading the answer, by answers of two lengths.

Example: .venv/bin/python benchmarks/load_start.py
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from holdfast.errors import ExitCode
from holdfast.load.command import command
from holdfast.load.endpoint import CHAT
from holdfast.load.record import RecordWriter
from holdfast.load.seen import asked, seen
from holdfast.load.selftest.server import Frames, Pace
from holdfast.load.sse import read_answer
from holdfast.load.transport import Exchange
from holdfast.loadtest.selftest import places, serving
from holdfast.model.load import LoadProfile, schedule

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
GOALS = {"start": 1.0, "request": 10e-6, "token": 0.2e-6}
ROUNDS, SHORT, LONG = 7, 16, 1016
PROFILE = LoadProfile(
    name="start",
    arrivals="constant",
    rate=20.0,
    prompt_tokens=8,
    answer_tokens=2,
    spread=0.0,
    trace=None,
    speed=1.0,
    max_in_flight=100,
    timeout=10.0,
    model="stamped",
)


def main() -> None:
    """Print both, and whether the goals are kept."""
    # As by Ctrl-C, so that the server and its folder go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.TERMINATED))
    with tempfile.TemporaryDirectory() as compiled:
        first, *starts = (_start(compiled) for _ in range(1 + ROUNDS))
    print(f"start to first request   {median(starts):.2f} s   median of {' '.join(f'{one:.2f}' for one in starts)}")
    print(f"    with nothing compiled   {first:.2f} s")
    _goal("start", median(starts))
    short, long = _answered(SHORT), _answered(LONG)
    keep, read = _fit(_keeping, short, long), _fit(_reading, short, long)
    print(f"beyond the parse: {keep[0] * 1e6:.1f} us a request and {keep[1] * 1e6:.3f} us a token")
    _goal("request", keep[0])
    _goal("token", keep[1])
    print(f"the parse itself: {read[0] * 1e6:.1f} us a request and {read[1] * 1e6:.2f} us a token")


def _goal(name: str, value: float) -> None:
    print(f"    goal {GOALS[name]:g} s: {'kept' if value <= GOALS[name] else 'missed'}")


def _start(compiled: str) -> float:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    pace, at = Pace(tokens=2, first=0.001, gap=0.001), places(sorted(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Path(name) / "arrivals"
        with serving(pace, at.server, folder, log) as served:
            words = command(
                PROFILE,
                locustfile=ROOT / "loadtests" / "chat.py",
                host=served.url,
                records=folder / "load.ndjson",
                seed=1,
                length=0.2,
                epoch=None,
                python=sys.executable,
            )
            began = time.monotonic()
            subprocess.run(words, check=True, cwd=ROOT, env=environment, capture_output=True)
        return float(json.loads(log.read_text().splitlines()[0])["arrived"]) / 1e9 - began


def _answered(tokens: int) -> Exchange:
    frames, second = Frames(1, 10**13), 10**9
    data = [frames.event(number * second, number * second).split(b"\r\n")[1] for number in range(tokens - 1)]
    *_, last, done = frames.end(second, second).split(b"\r\n")[1:5:2]
    chunks = tuple((1.0 + number * 0.02, part) for number, part in enumerate([*data, last]))
    whole = (*chunks, (chunks[-1][0], done))
    times: dict[str, Any] = {"sent": 0.9, "written": 0.9, "headers": 1.0, "ended": whole[-1][0]}
    return Exchange(status=200, content_type="text/event-stream", chunks=whole, reused=True, **times)


def _keeping(exchange: Exchange) -> Callable[[], None]:
    answer = read_answer(exchange.chunks)
    (arrival,) = schedule(replace(PROFILE, rate=1.0), seed=1, length=1.0)
    with tempfile.TemporaryDirectory() as folder:
        # Its folder goes, the open file stays: what is measured is the writing.
        writer = RecordWriter(Path(folder) / "load.ndjson")

    def keep() -> None:
        known = asked(1, arrival, "stamped")
        writer.request(seen(exchange, answer, known, epoch=0.0, wanted=CHAT.wanted))

    return keep


def _reading(exchange: Exchange) -> Callable[[], None]:
    return lambda: read_answer(exchange.chunks) and None


def _fit(work: Callable[[Exchange], Callable[[], None]], short: Exchange, long: Exchange) -> tuple[float, float]:
    """Seconds a request without tokens takes, and each token more."""
    few, many = _best(work(short)), _best(work(long))
    token = (many - few) / (LONG - SHORT)
    return few - SHORT * token, token


def _best(work: Callable[[], None], times: int = 200) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - began) / times)
    return best


if __name__ == "__main__":
    main()
