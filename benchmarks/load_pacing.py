"""How late requests leave: 1,000 arrivals a second, Poisson, by our pacer, by other clocks, and by the whole client.

Each sleeper runs alone in a process on its own CPU, in turns; lateness is from the instant due to the instant awake.
`dispatcher` is the load client with real requests to the stamped server, from due to the first system call.

Example: .venv/bin/python benchmarks/load_pacing.py --repeats 3
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from holdfast.errors import ExitCode
from holdfast.load.selftest.server import Pace, pin
from holdfast.loadtest.selftest import places, serving
from holdfast.model.load import LoadProfile, schedule

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL = 0.0002
RATE, SOON = 1000.0, 0.5
PACE = Pace(tokens=4, first=0.002, gap=0.002)


def _profile() -> LoadProfile:
    return LoadProfile(
        name="pacing",
        arrivals="poisson",
        rate=RATE,
        prompt_tokens=8,
        answer_tokens=PACE.tokens,
        spread=0.0,
        trace=None,
        speed=1.0,
        max_in_flight=10_000,
        timeout=10.0,
        model="stamped",
    )


def _dues(seconds: float) -> list[float]:
    return [arrival.due for arrival in schedule(_profile(), seed=1, length=seconds)]


def pacer(seconds: float, _: str) -> list[float]:
    """Ours: a timerfd on gevent's loop."""
    from holdfast.load.pacer import Pacer  # noqa: PLC0415 - each process loads its own loop alone

    with Pacer() as ours:
        return _late(_dues(seconds), ours.until)


def gevent_sleep(seconds: float, _: str) -> list[float]:
    """gevent.sleep, what Locust's wait times are made of."""
    import gevent  # noqa: PLC0415

    return _late(_dues(seconds), lambda instant: gevent.sleep(max(0.0, instant - time.monotonic())))


def asyncio_sleep(seconds: float, _: str) -> list[float]:
    """asyncio.sleep, what aiperf, guidellm and vLLM's benchmark pace with."""

    async def run() -> list[float]:
        epoch, late = time.monotonic() + SOON, []
        for due in _dues(seconds):
            await asyncio.sleep(epoch + due - time.monotonic())
            late.append(time.monotonic() - epoch - due)
        return late

    return asyncio.run(run())


def dispatcher(seconds: float, url: str) -> list[float]:
    """The load client with real requests."""
    from locust import User  # noqa: F401, PLC0415 - it patches the standard library, as in any load test

    from holdfast.load.dispatch import Dispatcher, Work  # noqa: PLC0415
    from holdfast.load.selftest.client import quiet  # noqa: PLC0415
    from holdfast.load.transport import Client, Deadlines  # noqa: PLC0415

    limits = Deadlines(connect=5.0, first_byte=10.0, gap=10.0, total=10.0)
    client, late = Client(url, deadlines=limits), []
    quiet()
    work = Work(
        profile=_profile(),
        arrivals=schedule(_profile(), seed=1, length=seconds),
        seed=1,
        length=seconds,
        epoch=time.monotonic() + SOON,
        api_key=None,
        record=None,
        tell=lambda record: late.append(record.sent - record.due if record.outcome == "ok" else float("inf")),
    )
    Dispatcher(work, client).run()
    return late


def _late(dues: list[float], until: Callable[[float], None]) -> list[float]:
    epoch, late = time.monotonic() + SOON, []
    for due in dues:
        until(epoch + due)
        late.append(time.monotonic() - epoch - due)
    return late


SLEEPERS = {"pacer": pacer, "gevent": gevent_sleep, "asyncio": asyncio_sleep, "dispatcher": dispatcher}


def main() -> None:
    """Each in turns, then the best of each: noise only adds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--one", nargs=2, metavar=("SLEEPER", "URL"), help=argparse.SUPPRESS)
    parser.add_argument("--cpu", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        pin(chosen.cpu)
        late = np.array(SLEEPERS[chosen.one[0]](chosen.seconds, chosen.one[1]))
        print(json.dumps(np.quantile(late, [0.5, 0.99, 1.0], method="inverted_cdf").tolist()))
        return
    # As by Ctrl-C, so that the server and its folder go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.TERMINATED))
    _compare(chosen.repeats, chosen.seconds)


def _compare(repeats: int, seconds: float) -> None:
    at = places(sorted(os.sched_getaffinity(0)))
    found: dict[str, list[list[float]]] = {name: [] for name in SLEEPERS}
    with tempfile.TemporaryDirectory() as folder, serving(PACE, at.server, Path(folder)) as served:
        for _ in range(repeats):
            for name, runs in found.items():
                words = [sys.executable, __file__, "--one", name, served.url, "--seconds", str(seconds)]
                words += [] if at.client is None else ["--cpu", str(at.client)]
                runs.append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
    for name, runs in found.items():
        best = min(runs, key=lambda run: run[1])
        shown = "/".join(f"{one * 1000:.2f}" for one in best)
        every = " ".join(f"{run[1] * 1000:.2f}" for run in runs)
        print(f"{name:11} p50/p99/max {shown} ms   p99 of each run: {every}")
    ours = min(run[1] for run in found["pacer"])
    print(f"goal: p99 of the pacer at most {GOAL * 1000:g} ms: {'kept' if ours <= GOAL else 'missed'}")


if __name__ == "__main__":
    main()
