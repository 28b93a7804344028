"""A platform of stand-ins that the tests of a file share: real processes, a real supervisor, no services."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Harness
from holdfast.platforms import layout, lifecycle, pids

STAND_IN = Path(__file__).parents[1] / "platforms" / "stand_in"


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    state = tmp_path_factory.mktemp("stand-ins") / "state"
    lifecycle.up(state, profile="stand_in", home=STAND_IN, wait=60, environ=dict(os.environ), options={"engines": "3"})
    yield state
    lifecycle.down(state)
    assert pids.marked(layout.layout(state).mark) == ()


@pytest.fixture
def harness(stand_ins, tmp_path):
    """What strikes on that platform, and what takes back; everything is ended, and nothing is left standing still."""
    made = Harness(state=stand_ins, folder=tmp_path)
    made.forget()
    yield made
    made.end()


@pytest.fixture
def platform_reaper(harness):
    """The process that a platform has for every run, as its profile starts it."""
    port = harness.free_port()
    words = [sys.executable, "-m", "holdfast.chaos.reaper", str(harness.state), "--port", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    harness.started.append(process)
    harness.wait_for_port(port)
    return process
