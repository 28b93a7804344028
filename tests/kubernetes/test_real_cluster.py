"""On a real cluster, `HOLDFAST_KUBECONFIG=PATH`, with a labelled namespace `llm` and a Deployment `engine` in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import until

ROOT = Path(__file__).parents[2]
CONFIG = os.environ.get("HOLDFAST_KUBECONFIG", "")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not CONFIG, reason="needs a Kubernetes cluster, as HOLDFAST_KUBECONFIG"),
]


def start(tmp_path, *words):
    environment = {**os.environ, "KUBECONFIG": CONFIG, "HOLDFAST_STATE": str(tmp_path / "state")}
    command = [sys.executable, "-m", "holdfast", "chaos", "run", *words, "--runs", str(tmp_path / "runs")]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def steps(tmp_path):
    lines = [path.read_text().splitlines() for path in (tmp_path / "state").glob("kubernetes-*/faults.ndjson")]
    return [json.loads(line)["step"] for line in (lines[0] if lines else ())]


@pytest.mark.parametrize("name", ["pod-kill", "node-drain"])
def test_it_is_seen_to_bite_and_gone(tmp_path, name):
    run = start(tmp_path, name, "--for", "3s")
    text, _ = run.communicate(timeout=200)
    assert run.returncode == 0, text
    assert steps(tmp_path) == ["asked", "applied", "observed", "undone", "gone"]


def test_a_policy_that_nobody_enforces_is_unknown(tmp_path):
    run = start(tmp_path, "pods-cut-off", "--for", "1s")
    text, _ = run.communicate(timeout=200)
    enforced = "observed" in steps(tmp_path)
    assert run.returncode == (0 if enforced else 10), text
    assert steps(tmp_path)[-1] == "gone"


def test_a_node_is_uncordoned_when_the_harness_is_killed(tmp_path):
    run = start(tmp_path, "node-drain", "--for", "60s", "--lease", "5s")
    until(lambda: "observed" in steps(tmp_path), 100, "the drain")
    run.kill()
    run.communicate(timeout=10)
    until(lambda: steps(tmp_path)[-1] == "gone", 30, "the reaper")
    assert "lapsed" in steps(tmp_path)
