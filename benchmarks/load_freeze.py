"""What a load test says of a server that freezes for 2 s: ours, counted from when each request was due, and Locust's.

The stamped server is stopped (SIGSTOP) in a run of 12 s at 100 requests a second. What users would have waited follows
from the schedule alone: whoever was due in the freeze waits until it is over. Ours must say that 90th percentile within
2 %. Locust's constant_pacing has 10 users who wait for their answers, so that nearly nobody meets the freeze:
coordinated omission.

Example: .venv/bin/python benchmarks/load_freeze.py
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from holdfast.load.selftest.server import Pace, pin
from holdfast.loadtest.selftest import Places, places, serving
from holdfast.model.load import LoadProfile, schedule

GOAL = 0.02
RATE, LENGTH, FREEZE_AT, FREEZE, SOON = 100.0, 12.0, 5.0, 2.0, 1.5
PACE = Pace(tokens=1, first=0.002, gap=0.002)
PATH = "/v1/chat/completions"
PROFILE = LoadProfile(
    name="freeze",
    arrivals="constant",
    rate=RATE,
    prompt_tokens=8,
    answer_tokens=PACE.tokens,
    spread=0.0,
    trace=None,
    speed=1.0,
    max_in_flight=10_000,
    timeout=30.0,
    model="stamped",
)


def ours(url: str, epoch: float) -> list[float]:
    """Seconds from due to the end of each answer, of our client."""
    from locust import User  # noqa: F401, PLC0415 - it patches the standard library, as in any load test

    from holdfast.load.dispatch import Dispatcher, Work  # noqa: PLC0415
    from holdfast.load.transport import Client, Deadlines  # noqa: PLC0415

    limits = Deadlines(connect=30.0, first_byte=30.0, gap=30.0, total=30.0)
    took: list[float] = []
    work = Work(
        profile=PROFILE,
        arrivals=schedule(PROFILE, seed=1, length=LENGTH),
        seed=1,
        length=LENGTH,
        epoch=epoch,
        api_key=None,
        record=None,
        tell=lambda record: took.append(record.done - record.due if record.outcome == "ok" else float("inf")),
    )
    Dispatcher(work, Client(url, deadlines=limits)).run()
    return took


def locust(url: str, epoch: float) -> list[float]:
    """Response times of ten users with constant_pacing(0.1), as Locust's statistics get them."""
    import gevent  # noqa: PLC0415
    from locust import FastHttpUser, constant_pacing  # noqa: PLC0415
    from locust.env import Environment  # noqa: PLC0415

    users, body = 10, json.dumps({"stream": True, "max_tokens": PACE.tokens}).encode()

    class Paced(FastHttpUser):  # type: ignore[misc]  # Locust's User is untyped
        host, wait_time = url, constant_pacing(users / RATE)

        def ask(self) -> None:
            self.client.post(PATH, data=body)

        tasks = (ask,)

    took: list[float] = []
    environment = Environment(user_classes=[Paced])
    environment.events.request.add_listener(lambda response_time, **_: took.append(response_time / 1000))
    runner = environment.create_local_runner()
    gevent.sleep(max(0.0, epoch - time.monotonic()))
    runner.start(users, spawn_rate=10_000)
    gevent.sleep(LENGTH)
    runner.quit()
    return took


def truth(stopped: float, resumed: float) -> list[float]:
    """What users waited, by the schedule and the two instants, seconds from the epoch.

    An answer takes `PACE.seconds`; one that would end within the freeze ends with it.
    """
    dues = [arrival.due for arrival in schedule(PROFILE, seed=1, length=LENGTH)]
    ends = [due + PACE.seconds for due in dues]
    return [max(end, resumed) - due if stopped <= end < resumed + PACE.seconds else end - due
            for due, end in zip(dues, ends, strict=True)]  # fmt: skip


CLIENTS = {"holdfast": ours, "locust constant_pacing": locust}


def main() -> None:
    """Freeze each once, and print what each said beside what was so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=3, metavar=("CLIENT", "URL", "EPOCH"), help=argparse.SUPPRESS)
    parser.add_argument("--cpu", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        pin(chosen.cpu)
        name, url, epoch = chosen.one
        print(json.dumps(CLIENTS[name](url, float(epoch))))
        return
    at, kept = places(sorted(os.sched_getaffinity(0))), False
    for name in CLIENTS:
        took, stopped, resumed = _frozen(name, at)
        true, said = (np.quantile(values, 0.9, method="inverted_cdf") for values in (truth(stopped, resumed), took))
        slow = sum(one > 0.1 for one in took)  # noqa: PLR2004
        print(f"{name:23} {len(took)} requests, {slow} slower than 100 ms", end="; ")
        print(f"p90 {said * 1000:.1f} ms, in truth {true * 1000:.1f} ms: {said / true - 1:+.1%}", flush=True)
        kept = kept or (name == "holdfast" and abs(said / true - 1) <= GOAL)
    print(f"goal: ours within {GOAL:.0%}: {'kept' if kept else 'missed'}")


def _frozen(name: str, at: Places) -> tuple[list[float], float, float]:
    with tempfile.TemporaryDirectory() as folder, serving(PACE, at.server, Path(folder)) as served:
        epoch = time.monotonic() + SOON
        words = [sys.executable, __file__, "--one", name, served.url, repr(epoch)]
        words += [] if at.client is None else ["--cpu", str(at.client)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as client:
            time.sleep(epoch + FREEZE_AT - time.monotonic())
            os.kill(served.pid, signal.SIGSTOP)
            stopped = time.monotonic() - epoch
            time.sleep(epoch + FREEZE_AT + FREEZE - time.monotonic())
            resumed = time.monotonic() - epoch
            os.kill(served.pid, signal.SIGCONT)
            said, _ = client.communicate()
    return json.loads(said), stopped, resumed


if __name__ == "__main__":
    main()
