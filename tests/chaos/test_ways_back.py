"""Three ways take a fault back: the run, newest first; the end of its lease; whoever reads the ledger afterwards."""

from __future__ import annotations

import os
import signal

import pytest

from bench import until
from holdfast.chaos.lease import LENGTH
from holdfast.chaos.strike import LetGoError, Wanted
from holdfast.clock import SystemClock
from holdfast.errors import InfrastructureError
from holdfast.experiments import standing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

GRACE = 5.0
"""Seconds beyond its lease in which a fault is to be gone: the reaper's look, the undo, a replica's first answer."""


def test_the_run_takes_them_back_newest_first(harness):
    striker = harness.striker()
    for name in ("engine-2", "engine-1", "engine-3"):
        striker.strike(Wanted(fault="stop", role="engine", names=(name,)))
    assert harness.stopped() == ["engine-1", "engine-2", "engine-3"]
    for entry in harness.book.open_faults("run-1"):
        striker.restore(entry)
    undone = [name for name, step in harness.steps() if step == "undone"]
    assert undone == ["engine-3", "engine-1", "engine-2"]
    assert harness.clean()


def test_a_fault_undone_twice_is_gone_twice(harness):
    (struck,) = harness.striker().strike(Wanted(fault="stop", role="engine", names=("engine-1",)))
    assert [harness.striker().restore(struck).step for _ in range(2)] == ["gone", "gone"]
    assert harness.clean()


def test_sigkill_of_the_harness_is_enough_for_the_reaper_beside_it(harness):
    holder = harness.holds("stop:engine-1", "stop:engine-3", lease=LENGTH)
    assert harness.stopped() == ["engine-1", "engine-3"]
    os.kill(holder.pid, signal.SIGKILL)
    until(harness.clean, GRACE + 5, "the reaper, which waits for no lease when the holder is gone")
    assert [step for step in harness.steps() if step[1] == "lapsed"] == [("engine-3", "lapsed"), ("engine-1", "lapsed")]
    until(lambda: harness.reaper_of() is None, 10, "the reaper to end after its run")


def test_sigterm_of_the_harness_too(harness):
    holder = harness.holds("stop:engine-1", lease=LENGTH)
    os.kill(holder.pid, signal.SIGTERM)
    until(harness.clean, GRACE + 5, "the reaper")


def test_a_harness_that_hangs_loses_its_faults_with_its_lease(harness):
    holder = harness.holds("stop:engine-1", lease=2.0)
    os.kill(holder.pid, signal.SIGSTOP)
    until(harness.clean, 2.0 + GRACE + 5, "the lease to end")
    assert ("engine-1", "lapsed") in harness.steps()


def test_a_live_harness_keeps_its_faults_beyond_the_length_of_its_lease(harness):
    harness.holds("stop:engine-1", lease=2.0)
    (struck,) = harness.book.open_faults()
    until(lambda: SystemClock().monotonic() > struck.monotonic + 3 * 2.0, 20, "three lengths of the lease")
    assert harness.stopped() == ["engine-1"]
    assert harness.book.lapsed_faults() == ()


def test_with_the_reaper_beside_it_dead_the_platforms_own_takes_over(harness, platform_reaper):
    holder = harness.holds("stop:engine-1", lease=2.0)
    os.kill(harness.reaper_of(), signal.SIGKILL)
    os.kill(holder.pid, signal.SIGKILL)
    until(harness.clean, 2.0 + GRACE + 5, "the platform's reaper")
    assert platform_reaper.poll() is None


def test_with_every_reaper_dead_the_next_start_sweeps(harness):
    holder = harness.holds("stop:engine-1", lease=2.0)
    os.kill(harness.reaper_of(), signal.SIGKILL)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(10)
    assert harness.stopped() == ["engine-1"]
    standing.sweep(harness.striker("run-2"))
    assert harness.clean()
    standing.sweep(harness.striker("run-3"))  # and once more changes nothing


def test_the_sweep_takes_nothing_from_a_run_that_lives(harness):
    harness.holds("stop:engine-1", lease=LENGTH)
    with pytest.raises(InfrastructureError, match="run-1 holds a fault on this platform: stop of engine-1"):
        standing.sweep(harness.striker("run-2"))
    assert harness.stopped() == ["engine-1"]


def test_undo_by_hand_makes_a_live_run_let_go_and_strike_no_more(harness):
    holder = harness.holds("stop:engine-1", lease=LENGTH)
    assert [one.step for one in standing.undo(harness.state, SystemClock())] == ["gone"]
    holder.wait(10)  # its hold ended at once, although it had asked for 600 s
    assert harness.clean()
    harness.book.leases.revoke("run-9")
    with pytest.raises(LetGoError):
        harness.striker("run-9").strike(Wanted(fault="stop", role="engine", names=("engine-2",)))
    assert harness.stopped() == []


def test_who_holds_a_fault_is_told_with_what_is_left_of_the_lease(harness):
    holder = harness.holds("stop:engine-1", lease=LENGTH)
    (found,) = standing.standing(harness.state, SystemClock())
    assert found.holder.startswith(f"{holder.pid}@")
    assert 0 < found.left <= LENGTH
    assert f"held by process {holder.pid}" in str(found)
    os.kill(harness.reaper_of(), signal.SIGKILL)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(10)
    (found,) = standing.standing(harness.state, SystemClock())
    assert (found.holder, found.left) == ("", 0.0)
    assert str(found).endswith("nobody holds it, the reaper takes it back")
