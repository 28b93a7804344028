"""Faults of whole processes, on real ones: asked to end, killed whenever they are back."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from holdfast import faults
from holdfast.model.fault import Strike
from holdfast.model.hands import Processes
from targets import Targets, eventually

SLEEPER = (sys.executable, "-SE", "-c", "import signal; signal.pause()")
DEAF = (
    *SLEEPER[:-1],
    "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint(1, flush=True)\nwhile True: signal.pause()",
)
TERM = faults.find("term")


@pytest.fixture
def two(tmp_path):
    targets = Targets(tmp_path).embedded(Processes)
    for name in ("engine-1", "engine-2"):
        targets.start(name, *SLEEPER)
    yield targets
    targets.close()


def test_one_that_is_asked_to_end_ends_and_comes_back(two):
    strike, beside = two.strike("term", "engine-1"), two.identity("engine-2")
    TERM.apply(two, strike)
    two.running["engine-1"].wait(10)
    assert two.running["engine-1"].returncode == -signal.SIGTERM
    assert TERM.bites(two, strike) == (True, f"{strike.target.unit} has ended")
    assert not TERM.bites(two, Strike(id="abc123", fault="term", target=beside)).seen
    TERM.undo(two, strike)
    assert eventually(lambda: TERM.gone(two, strike)).seen
    assert two.identity("engine-1") != strike.target
    assert two.identity("engine-2") == beside


def test_one_that_takes_no_notice_is_not_seen_to_be_struck(two):
    two.running["engine-1"].kill()
    two.running["engine-1"].wait(5)
    two.start("engine-1", *DEAF, stdout=subprocess.PIPE)
    two.running["engine-1"].stdout.readline()  # from here on it ignores the signal
    strike = two.strike("term", "engine-1")
    TERM.apply(two, strike)
    assert not TERM.bites(two, strike).seen
    assert TERM.gone(two, strike).seen
    two.running["engine-1"].stdout.close()


@pytest.mark.parametrize("times", [1, 2])
def test_undoing_what_was_never_done_changes_nothing(two, times):
    strike = two.strike("term", "engine-1")
    for _ in range(times):
        TERM.undo(two, strike)
    assert TERM.gone(two, strike).seen
    assert two.identity("engine-1") == strike.target
