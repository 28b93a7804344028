"""Faults that end the process or meet its next start: real ends, real starts."""

import json
import signal
import time

import pytest

pytestmark = pytest.mark.e2e


def test_oom_exit_kills_the_process_after_one_line_and_cuts_its_streams(starting):
    rig = starting()
    assert rig.ask().outcome == "ok"
    rig.begin("oom-exit", delay=1)
    seen = rig.ask(tokens=3000)
    assert (seen.outcome, seen.status) == ("cut", 200)
    assert rig.process.wait(5) == -signal.SIGKILL  # a shell calls it 137
    assert rig.log.read_text().splitlines()[-1] == (
        "refplatform.engine: out of memory: the process is killed, as a fault asks"
    )
    assert rig.ask().outcome == "connect"
    assert starting().ask().outcome == "ok"


def test_oom_exit_that_is_ended_in_time_does_not_happen(starting):
    rig = starting()
    one = rig.begin("oom-exit", delay=2)
    rig.admin("DELETE", f"/faults/{one}")
    rig.begin("oom-exit", delay=2, lease=0.4)  # its lease is over before
    rig.until(lambda: not any(fault["active"] for fault in rig.admin("GET")[1]["faults"]))
    over = time.monotonic() + 2.5
    while time.monotonic() < over:
        assert rig.ask(tokens=30).outcome == "ok"
    assert rig.process.poll() is None


def restart(starting, rig):
    """Kill it, and start another that finds what it left; seconds until that was up."""
    rig.process.kill()
    rig.process.wait(5)
    began = time.monotonic()
    return starting(within=60), time.monotonic() - began


def test_slow_load_reaches_the_next_start_and_not_the_one_after_its_end(starting):
    rig = starting()
    rig.begin("slow-load", seconds=15, lease=20)
    slow, seconds = restart(starting, rig)
    assert seconds > 15
    slow.until(lambda: time.time() > json.loads((slow.log.parent / "next-load.json").read_text())["until"], within=20)
    again, seconds = restart(starting, slow)
    assert seconds < 15
    assert "not done" in again.log.read_text()  # the killed engine could not take its word back
    assert not (again.log.parent / "next-load.json").exists()


def test_load_failure_ends_the_next_start_with_1_until_it_is_taken_back(starting):
    rig = starting()
    one = rig.begin("load-failure")
    failed = starting(wait=False)
    assert failed.process.wait(20) == 1
    assert failed.log.read_text() == "refplatform.engine: the weights could not be loaded, as a fault asks\n"
    assert rig.ask().outcome == "ok"
    rig.admin("DELETE", f"/faults/{one}")
    assert restart(starting, rig)[0].ask().outcome == "ok"


def test_ending_all_takes_back_what_the_engine_before_a_restart_left(starting):
    rig = starting()
    rig.begin("slow-load", seconds=0.1)
    again, _ = restart(starting, rig)
    word = again.log.parent / "next-load.json"
    assert word.exists()
    assert again.admin("DELETE") == (200, {"ended": []})
    assert not word.exists()


def test_an_engine_whose_harness_died_heals_itself_even_from_a_hang(starting):
    rig = starting()
    rig.begin("hang", lease=2)
    began = time.monotonic()
    assert rig.get("/health", wait=10) == 200  # asked while it hung, answered when it was over
    assert time.monotonic() - began > 1
    assert rig.ask().outcome == "ok"
