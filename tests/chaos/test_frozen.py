"""A harness that stands still in the middle of a strike, is taken for dead, and goes on: its fault stays known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import until
from holdfast.chaos.reaper import Reaper
from holdfast.experiments import standing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

FREEZES = """
import os, signal, sys
from holdfast.chaos import activities, ledger
from holdfast.faults.stop import Stop

state, moment, *after = sys.argv[1:]
here = {"asked": (ledger.Ledger, "striking"), "inside": (Stop, "apply")}
owner, name = here[moment]
true = getattr(owner, name)

def frozen(*given):
    os.kill(os.getpid(), signal.SIGSTOP)
    result = true(*given)
    if "dies" in after:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(owner, name, frozen)
activities.strike(fault="stop", role="engine", names=["engine-1"],
                  configuration={"holdfast_state": state, "holdfast_run": "run-1", "holdfast_lease": 2.0})
activities.hold(600, configuration={"holdfast_state": state, "holdfast_run": "run-1", "holdfast_lease": 2.0})
"""
"""Strikes, and stands still after "asked" and before it has struck: `inside` when nobody can tell any more whether."""


@pytest.fixture
def frozen(harness):
    """`frozen("asked")`: a harness that stands still there now, with no reaper but those that the test is."""

    def start(*words):
        command = [sys.executable, "-c", FREEZES, str(harness.state), *words]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        harness.started.append(process)
        until(lambda: harness.steps() == [("engine-1", "asked")], 30, "the strike to be asked for")
        until(lambda: state(process.pid) == "T", 30, "the harness to stand still")
        os.kill(harness.reaper_of(), signal.SIGKILL)
        until(harness.book.lapsed_faults, 10, "its lease to end")
        return process

    return start


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def test_one_that_was_called_gone_before_it_struck_strikes_no_more(harness, frozen):
    process = frozen("asked")
    assert Reaper(state=harness.state).reap(ended=False) == 0
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(30) != 0  # LetGoError
    assert harness.steps()[-1] == ("engine-1", "gone")
    assert harness.stopped() == []


def test_one_in_the_middle_of_its_strike_is_not_called_gone_and_is_taken_back_when_it_died_of_it(
    harness, frozen, platform_reaper
):
    process = frozen("inside", "dies")
    until(lambda: ("engine-1", "undone") in harness.steps(), 10, "the reaper")
    (found,) = standing.standing(harness.state, harness.striker().clock)
    assert found.last.step == "undone"
    os.kill(process.pid, signal.SIGCONT)
    process.wait(30)
    until(harness.clean, 5, "the reaper to take back what was struck after it had undone it")
    # Killed before it could write "applied": the ledger alone would never have told.
    assert [step for _, step in harness.steps()] == ["asked", "lapsed", "undone", "gone"]
    assert platform_reaper.poll() is None


def test_one_that_goes_on_in_the_middle_and_lives_holds_what_it_struck_until_it_lets_go(harness, frozen):
    process = frozen("inside")
    os.kill(process.pid, signal.SIGCONT)
    until(lambda: ("engine-1", "observed") in harness.steps(), 30, "the strike")
    assert harness.stopped() == ["engine-1"]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert Reaper(state=harness.state).reap(ended=False) == 0
    assert harness.clean()
