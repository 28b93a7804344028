"""A run that is ended in the middle, by a signal, a kill or a full disk, is never a PASS and leaves no fault behind."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from bench import QUIET, experiment, phase_began, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_mid_fault_undoes_it_and_is_never_a_pass(up, number, code):
    up.write("chaos/engine-kill.yaml", experiment(role="engine"))
    up.forget_latest()
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
    up.forget_latest()
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


@pytest.mark.slow
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


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
@pytest.mark.slow
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


def struck(bench) -> bool:
    """Whether the newest run saw its fault bite."""
    return phase_began(bench, "fault") and any(event["step"] == "observed" for event in bench.events("fault"))
