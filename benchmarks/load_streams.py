"""How many streams each client holds with its own errors at most 5 ms, in turns on one core, with one stamped server.

Example: .venv/bin/python benchmarks/load_streams.py --repeats 3 --streams 50,100,200,400,600,800
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from holdfast.errors import ExitCode
from holdfast.load.selftest.knee import Held, Knee, Step, knee
from holdfast.load.selftest.server import Pace
from holdfast.loadtest.selftest import LIMITS, Wanted, one_step, places, serving

OURS = "holdfast"
OTHERS = ("aiohttp", "locust-readline", "locust-iter_lines")
GOALS = {0.005: 600, 0.002: 400}
HERE = Path(__file__).parent
AIPERF = "aiperf"
PATIENCE = 120.0
"""Seconds AIPerf may take to begin and to end, with all its processes on one CPU."""


def main() -> None:
    """Every client at every count, in turns; then the counts held, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", default="50,100,200,400,600,800")
    parser.add_argument("--clients", default=",".join((OURS, *OTHERS)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--aiperf", help="its program, to measure it as well")
    parser.add_argument("--tokenizer", help="folder of a tokenizer for it")
    chosen = parser.parse_args()
    # As by Ctrl-C, so that the server, the client and their folder go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.TERMINATED))
    if chosen.aiperf and chosen.tokenizer:
        os.environ |= {"HOLDFAST_AIPERF": chosen.aiperf, "HOLDFAST_TOKENIZER": chosen.tokenizer}
        chosen.clients += f",{AIPERF}"
    at = places(sorted(os.sched_getaffinity(0)))
    print(at, flush=True)
    counts = [int(word) for word in chosen.streams.split(",")]
    found: dict[str, list[Step]] = {name: [] for name in chosen.clients.split(",")}
    pace = Pace(tokens=64, first=0.02, gap=0.02)
    with tempfile.TemporaryDirectory() as name, serving(pace, at.server, Path(name)) as served:
        for _ in range(chosen.repeats):
            for streams in counts:
                for client, steps in found.items():
                    if _worth(steps, streams):
                        wanted = _wanted(client, streams, pace, chosen.seconds)
                        steps.append(one_step(wanted, served.url, streams, at.client, Path(name)))
                        print(_line(client, steps[-1]), flush=True)
    _conclude(found)


def _wanted(client: str, streams: int, pace: Pace, seconds: float) -> Wanted:
    one = Wanted(streams=(streams,), pace=pace, seconds=seconds)
    if client == OURS:
        return one
    if client == AIPERF:
        return replace(one, client=(str(HERE / "load_aiperf.py"),), patience=PATIENCE)
    return replace(one, client=(str(HERE / "load_clients.py"), client))


def _worth(steps: list[Step], streams: int) -> bool:
    """Two counts beyond its end, a client is not asked any more."""
    broken = {step.streams for step in steps if step.streams < streams and step.held(LIMITS[0]) is Held.NO}
    held = [step.streams for step in steps if step.held(LIMITS[0]) is Held.YES]
    return len([count for count in broken if count > max(held, default=0)]) < 2  # noqa: PLR2004


def _line(client: str, step: Step) -> str:
    errors = step.errors
    parts = (("recv", errors.recv), ("itl", errors.itl), ("ttft", errors.ttft), ("server", errors.server))
    shown = "  ".join(f"{name} {_ms(one.p50)}/{_ms(one.p99)}" for name, one in parts)
    said = " ".join(f"<{limit * 1000:g}ms:{step.held(limit).value}" for limit in LIMITS)
    return f"{client:18}{step.streams:5}  {shown}  cpu {step.cpu:4.0%}  {said}"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.2f}"


def _conclude(found: dict[str, list[Step]]) -> None:
    for limit in LIMITS:
        knees = {client: knee(steps, limit) for client, steps in found.items()}
        print(f"\nerrors at most {limit * 1000:g} ms, 99th percentiles, in the best clean run:")
        for client, one in knees.items():
            print(f"  {client:18} holds {_held(one):>8}   in {_passes(found[client], one, limit)}{_ratio(one, knees)}")
        ours = knees.get(OURS)
        if ours and ours.holds is not None:
            print(f"  goal {GOALS[limit]}: {'kept' if ours.holds >= GOALS[limit] else 'missed'}")


def _held(one: Knee) -> str:
    return "unknown" if one.holds is None else str(one.holds)


def _passes(steps: list[Step], one: Knee, limit: float) -> str:
    clean = [step.held(limit) for step in steps if step.streams == one.holds and step.held(limit) is not Held.UNDECIDED]
    return f"{clean.count(Held.YES)}/{len(clean)} clean runs"


def _ratio(one: Knee, knees: dict[str, Knee]) -> str:
    ours = knees.get(OURS)
    if ours is None or ours is one or not (ours.holds and one.holds):
        return ""
    return f"   ours holds {ours.holds / one.holds:.1f} times as many"


if __name__ == "__main__":
    main()
