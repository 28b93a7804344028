"""A project of its own, a real platform, and the command line as a user starts it: what end-to-end tests work on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from holdfast.errors import ExitCode
from holdfast.platforms.embedded import EmbeddedPlatform

ROOT = Path(__file__).parents[2]
DATA = ("scenarios", "slos", "loadtests", "chaos", "platform/local")

SHORT = """\
apiVersion: holdfast/v1
kind: Scenario
metadata: {name: short, title: A short look, labels: {gate: short}}
seed: 3
load: chat-peak
phases:
  - {name: warmup, for: 2s, judged: false}
  - {name: baseline, for: 4s}
  - {name: fault, for: 8s, chaos: engine-kill}
  - {name: recovery, for: 6s}
expect:
  - {slo: gateway/availability, during: [baseline, recovery], objective: 70%}
  - {recovery: gateway/availability, within: 10s}
"""


QUIET = (
    SHORT.replace(", chaos: engine-kill", "")
    .replace("  - {recovery: gateway/availability, within: 10s}\n", "")
    .replace("for: 8s", "for: 5s")
    .replace("for: 6s", "for: 1s")
    .replace("during: [baseline, recovery]", "during: [baseline, fault, recovery]")
)
"""Twelve seconds without a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One project folder with its state and runs; every command is a real process."""

    root: Path
    state: Path
    runs: Path

    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOLDFAST_STATE": str(self.state), "HOLDFAST_RUNS": str(self.runs)}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def do(self, *words: str, timeout: float = 200) -> tuple[int, str]:
        process = self.start(*words)
        text, _ = process.communicate(timeout=timeout)
        return process.returncode, text

    def decided(self, *words: str, tries: int = 3) -> tuple[int, str]:
        """Play; and again, as its user would, where the answer is UNKNOWN because this machine was too busy to load."""
        for _ in range(tries):
            code, text = self.do(*words)
            if code != ExitCode.UNKNOWN or not too_busy(text):
                break
        return code, text

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return path

    def scenario(self, text: str = SHORT, **changes: str) -> str:
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        return str(self.write("scenarios/short.yaml", text))

    def forget_latest(self) -> None:
        """Make sure that the newest run is the one about to start."""
        (self.runs / "latest").unlink(missing_ok=True)

    def latest(self) -> Path:
        return (self.runs / "latest").resolve()

    def verdict(self) -> dict:
        return json.loads((self.latest() / "verdict.json").read_text())

    def checks(self) -> dict[str, str]:
        return {check["name"]: check["state"] for check in self.verdict()["checks"]}

    def events(self, kind: str) -> list[dict]:
        path = self.latest() / "events.ndjson"
        lines = path.read_text().splitlines() if path.exists() else []  # a run that has just begun has none
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def platform(self) -> EmbeddedPlatform:
        return EmbeddedPlatform.load(self.state)

    def engines_ready(self) -> int:
        return sum(replica.ready for replica in self.platform().replicas("engine"))

    def load_processes(self) -> list[int]:
        """Pids of load generators that write into this bench's runs."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "locust" in command and str(self.runs) in command:
                found.append(int(folder.name))
        return found


def too_busy(told: str) -> bool:
    """Whether a run says that the machine under it could not keep the plan's times."""
    return "the client was late" in told or any(f"trust: {check}" in told for check in ("load on time", "phases kept"))


def until(condition, within: float, what: str) -> None:
    """Poll a real process; fail with what was waited for."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {within:g} s for {what}")
        select_nothing(0.1)


def select_nothing(seconds: float) -> None:
    """Give real processes a moment between two looks."""
    signal.sigtimedwait([], seconds)


def make_bench(folder: Path) -> Bench:
    for name in DATA:
        shutil.copytree(ROOT / name, folder / "project" / name)
    return Bench(root=folder / "project", state=folder / "state", runs=folder / "runs")


def experiment(**arguments: object) -> str:
    """chaos/engine-kill.yaml with other arguments of its two activities."""
    document = yaml.safe_load((ROOT / "chaos/engine-kill.yaml").read_text())
    for activity in (*document["method"], *document["rollbacks"]):
        given = activity["provider"]["arguments"]
        given.update({name: value for name, value in arguments.items() if name in given})
    return yaml.safe_dump(document)


def phase_began(bench: Bench, name: str) -> bool:
    """Whether the newest run has reached a phase."""
    return (bench.runs / "latest" / "events.ndjson").exists() and any(
        event["name"] == name for event in bench.events("phase")
    )
