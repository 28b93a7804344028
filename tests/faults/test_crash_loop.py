"""`crash_loop` on a platform of stand-ins under a real supervisor: killed whenever it is back, until the lease ends."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import faults
from holdfast.faults.ways import notes
from holdfast.model.fault import Strike
from holdfast.platforms import lifecycle, sidecars
from holdfast.platforms.embedded import EmbeddedPlatform
from targets import eventually

STAND_IN = Path(__file__).parents[1] / "platforms" / "stand_in"
LOOP = faults.find("crash_loop")


@pytest.fixture
def platform(tmp_path):
    folder = tmp_path / "state"
    lifecycle.up(folder, profile="stand_in", home=STAND_IN, wait=20, environ=dict(os.environ))
    yield EmbeddedPlatform.load(folder)
    sidecars.end("abc123")
    lifecycle.down(folder)


def a_strike(platform, **changes):
    target = platform.replicas("engine")[0].identity
    return replace(Strike(id="abc123", fault="crash_loop", target=target), **changes)


def now(platform, number=0):
    return platform.replicas("engine")[number].identity


@pytest.mark.slow
def test_it_dies_whenever_it_is_back_and_nobody_beside_does_until_it_is_undone(platform):
    strike, beside = a_strike(platform), now(platform, 1)
    assert not LOOP.bites(platform, strike).seen
    LOOP.apply(platform, strike)
    eventually(lambda: LOOP.bites(platform, strike), within=LOOP.bites_within)
    assert not LOOP.bites(platform, replace(strike, target=beside)).seen
    assert not LOOP.gone(platform, strike).seen
    for _ in range(2):
        LOOP.undo(platform, strike)
        eventually(lambda: LOOP.gone(platform, strike), within=LOOP.gone_within)
    assert sidecars.of(strike.id) == ()
    assert now(platform, 1) == beside
    assert notes.find(platform, strike) is None


@pytest.mark.slow
def test_it_ends_by_itself_when_nobody_renews_its_lease(platform):
    strike = a_strike(platform, lease=3.0)
    LOOP.apply(platform, strike)
    eventually(lambda: LOOP.bites(platform, strike), within=LOOP.bites_within)
    eventually(lambda: sidecars.of(strike.id) == (), within=10)
    platform.restore("engine")  # the supervisor may be between two tries
    eventually(lambda: LOOP.gone(platform, strike), within=LOOP.gone_within)


@pytest.mark.slow
def test_undoing_what_was_never_done_changes_nothing_and_a_single_death_is_no_loop(platform):
    strike = a_strike(platform)
    for _ in range(2):
        LOOP.undo(platform, strike)
        assert LOOP.gone(platform, strike).seen
    assert now(platform) == strike.target
    platform.kill(strike.target)  # a blind one: it killed once, and no process of ours goes on
    eventually(lambda: now(platform).unit not in {"", strike.target.unit})
    assert not LOOP.bites(platform, strike).seen
