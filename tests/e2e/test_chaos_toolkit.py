"""The experiments are Chaos Toolkit's own: its command line finds each valid, and plays one without Holdfast's help."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench import ROOT, until

CHAOS = shutil.which("chaos", path=str(Path(sys.executable).parent))
NAMES = sorted(path.stem for path in (ROOT / "chaos").glob("*.yaml"))

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(200),
    pytest.mark.skipif(CHAOS is None, reason="the toolkit's command line is not installed"),
]


def toolkit(bench, *words):
    """`chaos` as its user starts it; it writes its log and journal into the project's folder."""
    return subprocess.Popen(
        # A shell's background jobs ignore SIGINT, and so would their children.
        ["env", "--default-signal=INT", CHAOS, "--no-version-check", *words],
        cwd=bench.root,
        env=bench.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def steps(bench, since=0):
    lines = bench.platform().ledger().read_text().splitlines() if bench.platform().ledger().exists() else []
    return [json.loads(line)["step"] for line in lines[since:]]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_finds_every_experiment_valid(tmp_path, name):
    done = subprocess.run(
        [CHAOS, "--no-version-check", "validate", ROOT / "chaos" / f"{name}.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def a_hang(bench, seconds):
    document = yaml.safe_load((ROOT / "chaos" / "engine-hang.yaml").read_text())
    document["method"][1]["provider"]["arguments"]["seconds"] = seconds
    bench.write("chaos/hang.yaml", yaml.safe_dump(document))
    return "chaos/hang.yaml"


def test_it_plays_one_by_itself(up):
    since = len(steps(up))
    run = toolkit(up, "run", "--rollback-strategy=always", a_hang(up, 1))
    text, _ = run.communicate(timeout=100)
    assert run.returncode == 0, text
    assert steps(up, since) == ["asked", "applied", "observed", "undone", "gone"]
    assert json.loads((up.root / "journal.json").read_text())["status"] == "completed"


def test_ctrl_c_in_a_hold_plays_the_rollbacks(up):
    since = len(steps(up))
    run = toolkit(up, "run", "--rollback-strategy=always", a_hang(up, 60))
    until(lambda: "observed" in steps(up, since), 60, "the fault")
    run.send_signal(signal.SIGINT)
    text, _ = run.communicate(timeout=60)
    until(lambda: steps(up, since)[-1] == "gone", 30, f"the fault to be gone\n{text}")
    assert up.engines_ready() == 3


def test_its_death_is_enough_for_the_reaper(up):
    # Without `always` it plays no rollbacks on a signal, and with SIGKILL none in any case.
    since = len(steps(up))
    run = toolkit(up, "run", a_hang(up, 60))
    until(lambda: "observed" in steps(up, since), 60, "the fault")
    run.kill()
    run.communicate(timeout=10)
    until(lambda: steps(up, since)[-1] == "gone", 30, "the reaper")
    assert "lapsed" in steps(up, since)
