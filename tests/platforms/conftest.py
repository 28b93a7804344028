"""A state folder that is taken down whatever the test did, and a platform of stand-ins in it."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import pytest

from holdfast.platforms import layout, lifecycle, pids

STAND_IN = Path(__file__).parent / "stand_in"


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    yield folder
    lifecycle.down(folder)
    assert pids.marked(layout.layout(folder).mark) == ()


@pytest.fixture
def up(state):
    """`up(...)` as the command does it, with the stand-ins' profile."""
    return partial(lifecycle.up, state, profile="stand_in", home=STAND_IN, wait=20, environ=dict(os.environ))


@pytest.fixture
def until():
    """`until(fact)` waits for a fact about a real process, at most `seconds`."""

    def wait(fact, seconds: float = 10):
        deadline = time.monotonic() + seconds
        while not (value := fact()):
            assert time.monotonic() < deadline, f"not within {seconds} s"
            time.sleep(0.02)
        return value

    return wait
