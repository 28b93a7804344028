"""Whatever goes wrong around a run, the answer is never PASS and no fault stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import QUIET, experiment, phase_began, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]


def test_a_fault_aimed_at_nothing_is_unknown(up):
    up.write("chaos/engine-kill.yaml", experiment(role="database"))
    code, text = up.do("run", up.scenario())
    assert code == 10, text
    assert up.checks()["fault seen to bite"] == "UNKNOWN"
    assert "database" in text


def test_a_load_generator_that_cannot_keep_up_is_unknown(up):
    conf = (up.root / "loadtests/chat-peak.conf").read_text()
    up.write("loadtests/heavy.conf", conf.replace("rate = 12", "rate = 60").replace("in-flight = 512", "in-flight = 4"))
    code, text = up.do("run", up.scenario(QUIET, **{"load: chat-peak": "load: heavy"}))
    assert code == 10, text
    assert up.checks()["load offered"] == "UNKNOWN"


def test_a_run_without_a_single_request_is_unknown(up):
    conf = (up.root / "loadtests/chat-peak.conf").read_text()
    up.write("loadtests/idle.conf", conf.replace("rate = 12", "rate = 0.0001"))
    code, text = up.do("run", "--undecided-ok", up.scenario(QUIET, **{"load: chat-peak": "load: idle"}))
    assert code == 10, text
    assert "no request was planned" in text


def test_a_gap_in_the_scrapes_is_unknown(up):
    up.forget_latest()
    run = up.start("run", up.scenario(QUIET))
    until(lambda: phase_began(up, "baseline"), 30, "the baseline")
    prometheus = up.platform().replicas("prometheus")[0].identity
    up.platform().send(prometheus, signal.SIGSTOP)
    until(lambda: phase_began(up, "recovery"), 30, "a gap of a whole phase")
    up.platform().send(prometheus, signal.SIGCONT)
    text, _ = run.communicate(timeout=60)
    assert run.returncode == 10, text
    assert up.checks()["prometheus watched"] == "UNKNOWN"


def test_two_runs_on_one_platform_do_not_mix(up):
    up.forget_latest()
    first = up.start("run", up.scenario(QUIET))
    until(lambda: phase_began(up, "warmup"), 30, "the first run")
    code, text = up.do("run", up.scenario(QUIET))
    assert code == 75, text
    assert "another run" in text
    first.send_signal(signal.SIGTERM)
    text, _ = first.communicate(timeout=60)
    assert first.returncode == 143, text


def test_a_run_without_a_platform_says_what_to_do(bench):
    code, text = bench.do("run", bench.scenario())
    assert code == 75
    assert "holdfast up" in text


def test_the_load_test_runs_under_plain_locust(up, tmp_path):
    endpoints = up.platform().endpoints()
    command = [sys.executable, "-m", "locust", "-f", "loadtests/chat.py", "--headless", "--only-summary"]
    options = ["--host", endpoints.gateway, "--rate", "8", "--length", "4s", "--records", str(tmp_path / "load.ndjson")]
    environment = {**os.environ, "HOLDFAST_API_KEY": endpoints.api_key}
    done = subprocess.run(
        [*command, *options], cwd=up.root, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '"outcome":"ok"' in (tmp_path / "load.ndjson").read_text()


def test_the_experiment_runs_under_plain_chaos_toolkit(up):
    up.write("chaos/engine-kill.yaml", experiment(role="engine"))
    before = {replica.identity for replica in up.platform().replicas("engine")}
    chaos = Path(sys.executable).with_name("chaos")
    done = subprocess.run(
        [chaos, "run", "chaos/engine-kill.yaml", "--rollback-strategy", "always"],
        cwd=up.root,
        env={**up.environment(), "PATH": f"{chaos.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    after = {replica.identity for replica in up.platform().replicas("engine") if replica.ready}
    assert len(after) == 3
    assert len(before & after) == 2
