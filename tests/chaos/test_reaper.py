"""The reaper: takes back what nobody holds, newest first and all of it, and goes on trying what cannot be had yet."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench import until
from holdfast.chaos.reaper import Reaper
from holdfast.faults.kill import Kill
from holdfast.faults.stop import Stop
from holdfast.model.fault import Sight
from holdfast.platforms import pids

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ME = str(pids.incarnation(os.getpid()))


@pytest.fixture
def struck(harness):
    """`struck("stop", "engine-1", run)`: written down and applied, by nobody who would take it back."""

    def strike(fault="stop", name="engine-1", run="run-1", step="applied"):
        (one,) = (each.identity for each in harness.driver.replicas("engine") if each.identity.name == name)
        entry = harness.book.write(id=f"{fault}{name[-1]}{run[-1]}", run=run, fault=fault, step=step, target=one)
        {"stop": Stop(), "kill": Kill()}[fault].apply(harness.driver, entry.strike)
        return entry

    return strike


def steps(harness):
    return [(one.name, one.step) for one in harness.book.entries() if one.step not in {"asked", "applied"}]


def test_what_nobody_holds_is_taken_back_newest_first(harness, struck):
    struck(name="engine-1")
    struck(name="engine-3")
    assert Reaper(state=harness.state).reap(ended=False) == 0
    # All are undone before the first is waited for.
    assert steps(harness) == [
        ("engine-3", "lapsed"),
        ("engine-3", "undone"),
        ("engine-1", "lapsed"),
        ("engine-1", "undone"),
        ("engine-3", "gone"),
        ("engine-1", "gone"),
    ]
    assert harness.clean()


def test_what_somebody_alive_holds_is_left_alone(harness, struck):
    struck()
    harness.book.leases.renew("run-1", ME)
    assert Reaper(state=harness.state).reap(ended=False) == 1
    assert harness.stopped() == ["engine-1"]
    harness.book.leases.release("run-1")


def test_the_one_beside_a_run_takes_back_that_run_alone(harness, struck):
    struck(name="engine-1", run="run-1")
    struck(name="engine-2", run="run-2")
    assert Reaper(state=harness.state, run="run-2").reap(ended=True) == 0
    assert harness.stopped() == ["engine-1"]
    assert Reaper(state=harness.state).reap(ended=False) == 0


def test_when_its_run_has_ended_it_asks_for_no_lease(harness, struck):
    struck()
    harness.book.leases.renew("run-1", ME)
    assert Reaper(state=harness.state, run="run-1").reap(ended=True) == 0
    assert harness.stopped() == []
    harness.book.leases.release("run-1")


def test_one_that_was_only_asked_for_is_gone_at_once(harness):
    (one, *_) = (each.identity for each in harness.driver.replicas("engine"))
    harness.book.write(id="a", run="run-1", fault="stop", step="asked", target=one)
    assert Reaper(state=harness.state).reap(ended=False) == 0
    assert steps(harness)[-1] == ("engine-1", "gone")


def test_a_target_that_died_meanwhile_is_gone_with_its_successor(harness, struck):
    entry = struck()
    harness.driver.kill(entry.target)
    assert Reaper(state=harness.state).reap(ended=False) == 0
    assert harness.clean()


def test_a_fault_that_nobody_knows_any_more_keeps_no_other_from_being_taken_back(harness, struck, capsys):
    struck(name="engine-2")
    (one, *_) = (each.identity for each in harness.driver.replicas("engine"))
    harness.book.write(id="b", run="run-1", fault="of-old", step="applied", target=one)
    assert Reaper(state=harness.state).reap(ended=False) == 1
    assert harness.stopped() == []
    assert "no fault named 'of-old'" in capsys.readouterr().err
    harness.book.write(id="b", run="run-1", fault="of-old", step="gone", target=one)


@pytest.mark.parametrize("part", ["undo", "gone"])
def test_nor_does_one_whose_code_breaks(harness, struck, monkeypatch, capsys, part):
    struck(name="engine-2")
    struck(fault="kill", name="engine-1")

    def breaks(*_):
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as broken:
        broken.setattr(Kill, part, breaks)
        assert Reaper(state=harness.state).reap(ended=False) == 1
    assert harness.stopped() == []
    assert "kill of engine-1: ZeroDivisionError: a bug" in capsys.readouterr().err
    assert Reaper(state=harness.state).reap(ended=False) == 0  # and it is tried again


def test_what_is_stuck_stays_open_and_is_tried_again(harness, struck, monkeypatch):
    struck()
    with monkeypatch.context() as stuck:
        stuck.setattr(Stop, "gone_within", 0.2)
        stuck.setattr(Stop, "gone", lambda *_: Sight(False, "still there"))
        assert Reaper(state=harness.state).reap(ended=False) == 1
    assert steps(harness)[-1] == ("engine-1", "stuck")
    assert Reaper(state=harness.state).reap(ended=False) == 0
    assert [step for _, step in steps(harness)].count("lapsed") == 1


def test_reaping_twice_changes_nothing(harness, struck):
    struck()
    Reaper(state=harness.state).reap(ended=False)
    before = steps(harness)
    Reaper(state=harness.state).reap(ended=False)
    assert steps(harness) == before


def test_two_reapers_at_once_leave_one_clean_platform(harness, struck):
    for name in ("engine-1", "engine-2"):
        struck(name=name)
    words = [sys.executable, "-c", "import sys; from pathlib import Path; from holdfast.chaos.reaper import Reaper\n"]
    words[-1] += "Reaper(state=Path(sys.argv[1])).reap(ended=False)"
    both = [subprocess.Popen([*words, str(harness.state)]) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    until(lambda: Reaper(state=harness.state).reap(ended=False) == 0, 30, "nothing to be open")
    assert harness.clean()


def test_the_platforms_own_waits_for_a_platform_and_does_not_end(tmp_path, harness):
    port = harness.free_port()
    words = [sys.executable, "-m", "holdfast.chaos.reaper", str(tmp_path / "nothing"), "--port", str(port)]
    process = subprocess.Popen(words)
    harness.started.append(process)
    harness.wait_for_port(port)
    harness.wait_for_port(port)
    assert process.poll() is None
