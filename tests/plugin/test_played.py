"""Scenarios really played: real platform, real load, a real fault, by one pytest process and by several."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import ExitCode, InfrastructureError
from holdfast.experiments.standing import standing
from holdfast.objectives.generate import rule_files
from holdfast.platforms import lifecycle, tools

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
SHORT = {"for: 10s": "for: 1s", "for: 20s}": "for: 2s}", "for: 20s,": "for: 12s,", "for: 25s": "for: 2s"}
# Under 20 s each second proves as much as one request: 4 of them 1 - 0.05 ** (1 / 4) = 53 % bad, 12 of them 23 %.
ENOUGH = {"recovery]}": "recovery], objective: 40%}", "objective: 90%": "objective: 70%"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform with simulated engines, for all tests of this file."""
    try:
        tools.locate(
            ["prometheus", "alertmanager", "redis-server"],
            path=os.environ["PATH"],
            cache=tools.cache_folder(os.environ),
        )
    except InfrastructureError as error:
        pytest.skip(f"{error}; {error.hint}")
    state = tmp_path_factory.mktemp("platform") / "state"
    lifecycle.up(state, home=ROOT / "platform" / "local", rules=rule_files(ROOT))
    yield state
    lifecycle.down(state)


@pytest.fixture
def short(project, platform):
    """The project with a scenario of 17 s, which asks for so little that it is not refused, and ends quickly."""
    text = project.text
    for old, new in {**SHORT, **ENOUGH}.items():
        assert old in text
        text = text.replace(old, new)
    project.path.write_text(text)
    project.scenario(
        "second",
        text.replace("engine-dies", "second")
        .replace(", chaos: engine-kill", "")
        .replace("  - {recovery: gateway/availability, within: 15s}\n", ""),
    )
    return project


def played(project) -> list[str]:
    """Which scenarios have a run folder, each as often as it was played."""
    manifests = (project.root / "runs").glob("2*/manifest.json")
    return sorted(json.loads(manifest.read_text())["scenario"] for manifest in manifests)


@pytest.mark.parametrize(
    "words",
    [["-n2", "--dist", "load"]],
    ids=["load"],
)
@pytest.mark.slow
def test_each_scenario_is_played_once(short, platform, words):
    found = short.start(f"--holdfast-state={platform}", *words)
    assert played(short) == ["engine-dies", "second"]
    # 3 expectations and trust, 2 expectations and trust; once more for each further process that judges all of them.
    assert sum(found.parseoutcomes().values()) == 7 * (2 if "each" in words else 1)
    assert found.ret in {ExitCode.PASS, ExitCode.UNKNOWN, ExitCode.FAIL}


@pytest.mark.parametrize("workers", ["-n2"])
def test_sigterm_undoes_the_fault(short, platform, workers):
    before = time.monotonic()
    session = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            "scenarios/engine-dies.yaml",
            "--holdfast",
            f"--holdfast-state={platform}",
            workers,
        ],
        cwd=short.root,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: '"step": "applied"' in events(short), seconds=60)
        session.send_signal(signal.SIGTERM)
        said = session.communicate(timeout=60)[0]
    finally:
        session.kill()
    assert (session.returncode, time.monotonic() - before < 120) == (ExitCode.TERMINATED, True), said
    assert '"kind": "interrupted"' in events(short)
    assert standing(platform, SystemClock()) == ()


def events(project) -> str:
    """All that was recorded so far."""
    return "".join(path.read_text() for path in (project.root / "runs").glob("2*/events.ndjson"))


def until(fact, seconds: float) -> None:
    """Wait for a fact about a real process."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
