"""Tokens a second of the simulated engine on one core over server-sent events, and beside another commit's.

The engine is pinned to one core and given steps of no length, so that only its own work bounds it; our own client holds
the streams open on another core. What counts is the engine's counter of tokens in the middle of the run, and the CPU
time of its process: on a machine that others use, the second is the one to compare.

Example: .venv/bin/python benchmarks/engine_serve.py --streams 100,1000 --against HEAD
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SERVICES = "platform/services/src"
GOAL = 20_000
LONG = 6_000
"""Tokens of an answer: longer than any run."""
CALIBRATION = {
    "name": "no model at all",
    "max_num_seqs": 4096,
    "max_num_batched_tokens": 16384,
    "max_num_queued_reqs": 4096,
    "max_model_len": 2 * LONG,
    "kv_cache_tokens": 2048 * LONG,
    "c0": 0.0005,
    "c_prefill": 0.0,
    "c_seq": 0.0,
    "c_kv": 0.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is measured: open streams, seconds of the window, the cores of engine and client, a place for files."""

    streams: int
    seconds: float
    cores: tuple[int, int]
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run: tokens a second of wall time and of the engine's CPU time, and the shares of a core of both sides."""

    tokens: float
    per_cpu: float
    engine: float
    client: float


def main() -> None:
    """Every engine at every count, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", default="1000")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--against", help="a commit whose engine is measured in the same run")
    parser.add_argument("--hold", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.hold:
        return hold(chosen.hold[0], int(chosen.hold[1]))
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        sources = {"this tree": ROOT / SERVICES}
        if chosen.against:
            sources[chosen.against] = checked_out(chosen.against, Path(name))
        for streams in map(int, chosen.streams.split(",")):
            setting = Setting(streams=streams, seconds=chosen.seconds, cores=(cores[0], cores[-1]), folder=Path(name))
            compare(sources, setting, chosen.repeats)
    return None


def compare(sources: dict[str, Path], setting: Setting, repeats: int) -> None:
    """Print what each engine does, and the ratio of their best runs."""
    best: dict[str, Measured] = {}
    for _ in range(repeats):
        for label, source in sources.items():
            one = measure(source, setting)
            print(
                f"{label:12}{setting.streams:6} streams {one.tokens:9,.0f} tokens/s  {1e6 / one.per_cpu:5.1f} µs each"
                f"  engine's core {one.engine:4.0%}  client's {one.client:4.0%}",
                flush=True,
            )
            best[label] = max(best.get(label, one), one, key=lambda found: found.per_cpu)
    first, *others = best.values()
    kept = "kept" if first.per_cpu >= GOAL else "missed"
    print(f"  a core of its own: {first.per_cpu:,.0f} tokens/s; goal {GOAL:,}: {kept}")
    for other in others:
        print(f"  per CPU second {first.per_cpu / other.per_cpu:.2f} times the other")


def measure(source: Path, setting: Setting) -> Measured:
    """One engine, one client, one window."""
    cores, streams = setting.cores, setting.streams
    with serving(source, cores[0], setting.folder) as (url, engine), holding(url, streams, cores[1]) as client:
        until_open(url, streams)
        tokens, spent, began = counted(url), (cpu(engine), cpu(client)), time.monotonic()
        time.sleep(setting.seconds)
        took, made = time.monotonic() - began, counted(url) - tokens
        ours, theirs = cpu(engine) - spent[0], cpu(client) - spent[1]
    return Measured(tokens=made / took, per_cpu=made / ours, engine=ours / took, client=theirs / took)


def cpu(process: psutil.Process) -> float:
    """Seconds of CPU that it has used."""
    return sum(process.cpu_times()[:2])


@contextmanager
def holding(url: str, streams: int, core: int) -> Iterator[psutil.Process]:
    """A client that holds so many streams open."""
    words = ["taskset", "-c", str(core), sys.executable, __file__, "--hold", url, str(streams)]
    client = subprocess.Popen(words)
    try:
        yield psutil.Process(client.pid)
    finally:
        client.kill()
        client.wait()


@contextmanager
def serving(source: Path, core: int, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """An engine from these sources on one core."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    calibration = folder / "calibration.json"
    calibration.write_text(json.dumps(CALIBRATION))
    words = [sys.executable, "-m", "refplatform.engine", "--port", str(port), "--model", "m"]
    engine = subprocess.Popen(
        ["taskset", "-c", str(core), *words, "--calibration", str(calibration)],
        env=os.environ | {"PYTHONPATH": str(source)},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until_answering(url)
        yield url, psutil.Process(engine.pid)
    finally:
        engine.kill()
        engine.wait()


def until_answering(url: str) -> str:
    """Return when it is healthy."""
    for _ in range(600):
        try:
            return fetched(url, "/health")
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")


def until_open(url: str, streams: int) -> None:
    """Return a second after all streams are answered."""
    for _ in range(600):
        if sample(url, "vllm:num_requests_running") >= streams:
            time.sleep(1.0)
            return
        time.sleep(0.1)
    raise TimeoutError(f"fewer than {streams} streams were open after a minute")


def counted(url: str) -> float:
    """Tokens generated so far."""
    return sample(url, "vllm:generation_tokens_total")


def sample(url: str, name: str) -> float:
    """One number of /metrics."""
    return float(re.search(rf"^{re.escape(name)}(?:{{.*}})? (\S+)$", fetched(url, "/metrics"), re.MULTILINE)[1])


def fetched(url: str, path: str) -> str:
    """What a GET answers."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request("GET", path)
    try:
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def checked_out(commit: str, folder: Path) -> Path:
    """The services as of a commit."""
    packed = subprocess.run(["git", "archive", commit, SERVICES], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder / "other", filter="data")
    return folder / "other" / SERVICES


def hold(url: str, streams: int) -> None:
    """Hold streams open with the client of the load generator until somebody ends this process."""
    from gevent import monkey  # noqa: PLC0415 - this process alone is the client

    monkey.patch_all()
    import gevent  # noqa: PLC0415

    from holdfast.load.transport import Client, Deadlines  # noqa: PLC0415

    client = Client(url, deadlines=Deadlines(connect=60.0, first_byte=600.0, gap=600.0, total=600.0))
    body = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": LONG, "stream": True}
    ).encode()
    kind = {"content-type": "application/json"}
    gevent.joinall([gevent.spawn(client.post, "/v1/chat/completions", body, kind) for _ in range(streams)])


if __name__ == "__main__":
    main()
