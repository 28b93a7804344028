"""One load that needs a good part of a core, played by `load run` with all of it or with a fifth of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import squeeze
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SHARE = 0.2
WARMUP, LENGTH = 1.0, 5.0
PROFILE = """\
# Events enough that the client needs more than a fifth of a core for them.
arrivals = poisson
rate = 150
prompt-tokens = 20
answer-tokens = 800
spread = 0
max-in-flight = 20000
request-timeout = 20s
model = sim
"""
BUSY = ("phases kept", "load on time")
"""What a machine with too much else to do brings into doubt."""
WAYS = ("free", "quota", "quota-middle", "turns", "turns-middle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What `load run` answered, and what share of a core its client used in the phase that counts."""

    code: int
    found: dict[str, Any]
    cpu: float

    @property
    def verdict(self) -> str:
        return {ExitCode.PASS: "PASS", ExitCode.UNKNOWN: "UNKNOWN"}.get(self.code, f"exit {self.code}")

    @property
    def busy(self) -> bool:
        """Whether the client was late, and nothing else is wrong."""
        troubles = self.found["troubles"]
        return bool(troubles) and all(one.startswith(BUSY) for one in troubles)


def ways() -> tuple[str, ...]:
    """How a client can be starved on this machine."""
    return tuple(one for one in WAYS if one != "free" and (squeeze.by_quota() or not one.startswith("quota")))


@contextmanager
def stage() -> Iterator[Stage]:
    """A small project, and a server that answers as fast as it is asked; both are gone afterwards."""
    script = ROOT / "tests" / "load" / "sse_server.py"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-starved-")))
        server = stack.enter_context(subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True))
        stack.callback(server.terminate)
        (folder / "scenarios").mkdir()
        (folder / "loadtests").mkdir()
        (folder / "loadtests" / "starved.conf").write_text(PROFILE)
        shutil.copy(ROOT / "loadtests" / "chat.py", folder / "loadtests")
        yield Stage(folder=folder, url=f"http://127.0.0.1:{server.stdout.readline().strip()}/bursts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where it is played, several times one after the other."""

    folder: Path
    url: str

    def play(self, way: str) -> Played:
        """Once, from its first second on or in its middle third with a fifth of a core; `free` is with all of it."""
        shutil.rmtree(self.folder / "runs", ignore_errors=True)
        words = (
            "load",
            "run",
            "starved",
            "--host",
            self.url,
            "--for",
            f"{LENGTH}s",
            "--warmup",
            f"{WARMUP}s",
            "--json",
        )
        with subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words],
            cwd=self.folder,
            env=os.environ | {"HOLDFAST_RUNS": str(self.folder / "runs")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                if way != "free":
                    self._starve(process, way)
                text, said = process.communicate(timeout=90)
            finally:
                process.kill()
        if not text:
            raise RuntimeError(said)
        found = json.loads(text)
        return Played(code=process.returncode, found=found, cpu=_cpu(Path(found["folder"])))

    def free(self, tries: int = 5) -> Played:
        """With all of a core; again where this machine had too much else to do."""
        for _ in range(tries):
            played = self.play("free")
            if not played.busy:
                break
        return played

    def _starve(self, process: subprocess.Popen[str], way: str) -> None:
        pid, zero = self._client(process)
        middle = way.endswith("-middle")
        start, end = (WARMUP + LENGTH / 3, WARMUP + 2 * LENGTH / 3) if middle else (0.0, WARMUP + LENGTH)
        _sleep(zero + start)
        with squeeze.quota(pid, SHARE) if way.startswith("quota") else squeeze.turns(pid):
            _sleep(zero + end)

    def _client(self, process: subprocess.Popen[str]) -> tuple[int, float]:
        """Pid of the load process, and second 0 on the monotonic clock."""
        while process.poll() is None:
            for folder in (self.folder / "runs").glob("2*"):
                lines = (folder / "events.ndjson").read_text().splitlines() if (folder / "load.ndjson").exists() else []
                started = [line for line in map(json.loads, lines) if line.get("step") == "started"]
                if started:
                    return started[0]["pid"], json.loads((folder / "manifest.json").read_text())["zero"]["monotonic"]
            _sleep(time.monotonic() + 0.02)
        raise RuntimeError("the load never began")


def _sleep(until: float) -> None:
    threading.Event().wait(max(0.0, until - time.monotonic()))


def _cpu(folder: Path) -> float:
    beats = pd.read_parquet(folder / "beats.parquet")
    beats = beats.assign(span=beats["t"].diff())[beats["t"].between(WARMUP, WARMUP + LENGTH)]
    return float((beats["cpu"] * beats["span"]).sum() / beats["span"].sum())
