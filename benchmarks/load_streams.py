"""How many streams each client holds with its own errors at most 5 ms, in turns on one core, with one stamped server.

Example: .venv/bin/python benchmarks/load_streams.py --repeats 3 --streams 50,100,200,400,600,800

With --guidellm, --aiperf and --tokenizer these stand beside them, with fewer streams: --streams 10,25,50,100,200.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from holdfast.errors import ExitCode, InfrastructureError
from holdfast.load.selftest.knee import Held, Knee, Step, knee
from holdfast.load.selftest.server import Pace
from holdfast.loadtest.selftest import LIMITS, Places, Wanted, one_step, places, serving

OURS = "holdfast"
OTHERS = ("aiohttp", "locust-readline", "locust-iter_lines")
GOALS = {0.005: 600, 0.002: 400}
HERE = Path(__file__).parent
AIPERF, GUIDELLM = "aiperf", "guidellm"
PATIENCE = 120.0
"""Seconds either may take to begin and to end, with all its processes on one CPU."""


def main() -> None:
    """Every client at every count, in turns; then the counts held, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", default="50,100,200,400,600,800")
    parser.add_argument("--clients", default=",".join((OURS, *OTHERS)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--aiperf", help="its program, to measure it as well")
    parser.add_argument("--guidellm", help="its program, to measure it as well")
    parser.add_argument("--tokenizer", help="folder of a tokenizer, which both need")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds either may take beside its load")
    chosen = parser.parse_args()
    # As by Ctrl-C, so that the server, the client and their folder go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.TERMINATED))
    names = [*chosen.clients.split(","), *_foreign(parser, chosen)]
    at = places(sorted(os.sched_getaffinity(0)))
    print(at, flush=True)
    counts = [int(word) for word in chosen.streams.split(",")]
    found: dict[str, list[Step]] = {name: [] for name in names}
    try:
        with tempfile.TemporaryDirectory() as name:
            _measure(chosen, counts, at, found, Path(name))
    finally:
        _conclude(found)


def _foreign(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> list[str]:
    """The programs named, left in the environment for those that run them."""
    named = {name: vars(chosen)[name] for name in (GUIDELLM, AIPERF) if vars(chosen)[name]}
    if named and not chosen.tokenizer:
        parser.error("GuideLLM and AIPerf need --tokenizer")
    folders = {"HOLDFAST_TOKENIZER": str(Path(chosen.tokenizer).resolve())} if named else {}
    os.environ |= {f"HOLDFAST_{name.upper()}": str(Path(path).absolute()) for name, path in named.items()} | folders
    return list(named)


def _measure(
    chosen: argparse.Namespace, counts: list[int], at: Places, found: dict[str, list[Step]], folder: Path
) -> None:
    """Every step, said and kept as soon as it is known."""
    pace, log = Pace(tokens=64, first=0.02, gap=0.02), folder / "server.ndjson"
    with serving(pace, at.server, folder, log) as served:
        for streams in counts * chosen.repeats:
            for client, steps in found.items():
                if not _worth(steps, streams):
                    continue
                wanted = _wanted(client, streams, pace, chosen, log)
                try:
                    steps.append(one_step(wanted, served.url, streams, at.client, folder))
                except InfrastructureError as error:
                    # No result is no step: what is not known says neither that it held nor that it did not.
                    print(f"{client:18}{streams:5}  nothing: {error}", flush=True)
                else:
                    print(_line(client, steps[-1]), flush=True)


def _wanted(client: str, streams: int, pace: Pace, chosen: argparse.Namespace, log: Path) -> Wanted:
    one = Wanted(streams=(streams,), pace=pace, seconds=chosen.seconds)
    if client == OURS:
        return one
    if client == AIPERF:
        return replace(one, client=(str(HERE / "load_aiperf.py"),), patience=chosen.patience)
    if client == GUIDELLM:
        return replace(one, client=(str(HERE / "load_guidellm.py"), str(log)), patience=chosen.patience)
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
    took = f"cpu {step.cpu:4.0%}  took {errors.recv.count / step.expected:4.0%}"
    return f"{client:18}{step.streams:5}  {shown}  {took}  {said}"


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
