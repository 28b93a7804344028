"""Whatever goes wrong around a run, the answer is never PASS and no fault stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import SHORT, experiment, phase_began, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

QUIET = (
    SHORT.replace(", chaos: engine-kill", "")
    .replace("  - {recovery: gateway/availability, within: 10s}\n", "")
    .replace("for: 8s", "for: 5s")
    .replace("for: 6s", "for: 1s")
)


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
    code, text = up.do("run", up.scenario(QUIET, **{"load: chat-peak": "load: idle"}))
    assert code == 10, text
    assert "no request was planned" in text


def test_a_gap_in_the_scrapes_is_unknown(up):
    forget_runs(up)
    run = up.start("run", up.scenario(QUIET))
    until(lambda: phase_began(up, "baseline"), 30, "the baseline")
    prometheus = up.platform().replicas("prometheus")[0].identity
    up.platform().send(prometheus, signal.SIGSTOP)
    until(lambda: phase_began(up, "recovery"), 30, "a gap of a whole phase")
    up.platform().send(prometheus, signal.SIGCONT)
    text, _ = run.communicate(timeout=60)
    assert run.returncode == 10, text
    assert up.checks()["prometheus watched"] == "UNKNOWN"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_mid_fault_undoes_it_and_is_never_a_pass(up, number, code):
    up.write("chaos/engine-kill.yaml", experiment(role="engine"))
    forget_runs(up)
    run = up.start("run", up.scenario())
    until(lambda: struck(up), 60, "the fault")
    run.send_signal(number)
    text, _ = run.communicate(timeout=60)
    assert run.returncode == code, text
    assert up.verdict()["verdict"] == "UNKNOWN"
    assert [event["signal"] for event in up.events("interrupted")] == [number.name]
    assert up.events("fault")[-1]["step"] == "gone"
    assert not up.load_processes()


def test_kill_9_of_the_harness_in_mid_fault_leaves_a_clean_platform_and_a_readable_record(up):
    up.write("chaos/engine-kill.yaml", experiment(role="engine"))
    forget_runs(up)
    run = up.start("run", up.scenario())
    until(lambda: struck(up), 60, "the fault")
    run.kill()
    run.communicate(timeout=10)
    until(lambda: not up.load_processes(), 10, "the load generator to die with its parent")
    until(lambda: up.engines_ready() == 3, 35, "the engine to be back")
    code, text = up.do("judge", str(up.latest()))
    assert code in (10, 11), text
    code, text = up.do("chaos", "undo")
    assert code == 0, text
    code, text = up.do("chaos", "status")
    assert (code, text.strip()) == (0, "no fault is open")


def test_an_engine_that_never_comes_back_is_not_restored(bench):
    calibration = bench.root / "platform/local/calibrations/laptop.json"
    bench.write("chaos/engine-kill.yaml", experiment(within=4))
    assert bench.do("up", "--set", "load-seconds=1")[0] == 0
    run = bench.start("run", bench.scenario())
    until(lambda: phase_began(bench, "fault"), 60, "the fault's phase")
    calibration.rename(calibration.with_suffix(".gone"))
    text, _ = run.communicate(timeout=150)
    assert run.returncode == 11, text
    assert bench.verdict()["verdict"] == "NOT_RESTORED"
    assert bench.do("chaos", "status")[0] == 11


def test_two_runs_on_one_platform_do_not_mix(up):
    forget_runs(up)
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


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_under_the_record_stops_the_run_and_restores_the_platform(up, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", small], check=True)
    try:
        code, text = up.do("run", up.scenario(QUIET), "--runs", str(small))
    finally:
        subprocess.run(["umount", "-l", small], check=True)
    assert code in (10, 75), text
    assert "disk" in text.lower() or "space" in text.lower()
    assert not up.load_processes()


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


def struck(bench) -> bool:
    """Whether the newest run saw its fault bite."""
    return phase_began(bench, "fault") and any(event["step"] == "observed" for event in bench.events("fault"))


def forget_runs(bench) -> None:
    """Make sure that the newest run is the one about to start."""
    (bench.runs / "latest").unlink(missing_ok=True)
