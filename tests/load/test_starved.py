"""A client that gets a fifth of a core measures itself: the same load that is valid with all of one is UNKNOWN then."""

from __future__ import annotations

import pytest

import starved
from holdfast.errors import ExitCode

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timed, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def stage():
    """Where the load is valid with all of a core, and needs more than a fifth of one."""
    with starved.stage() as made:
        free = made.free()
        if free.busy:
            pytest.skip(f"this machine has too much else to do to offer the load at all: {free.found['troubles']}")
        assert (free.code, free.found["troubles"]) == (ExitCode.PASS, [])
        assert free.cpu > starved.SHARE
        yield made


@pytest.mark.parametrize("run", [1, 2, 3])
@pytest.mark.parametrize("way", starved.ways()[:2])
def test_a_client_held_to_a_fifth_of_a_core_is_never_believed(stage, way, run):
    played = stage.play(way)
    assert played.code == ExitCode.UNKNOWN, run
    (late,) = [one for one in played.found["troubles"] if one.startswith("load on time")]
    assert "of a core" in late
    assert played.found["outcomes"].get("ok", 0) > 0


def test_nor_is_one_that_is_stopped_in_turns_for_a_third_of_the_time(stage):
    played = stage.play("turns-middle")
    assert played.code == ExitCode.UNKNOWN
    assert any(one.startswith("load on time") for one in played.found["troubles"])
