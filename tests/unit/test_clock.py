"""Time is an argument: virtual seconds pass when somebody sleeps, and one anchor ties a run to both clocks."""

from __future__ import annotations

from holdfast.clock import Anchor, SystemClock, VirtualClock


def test_a_virtual_clock_moves_only_by_sleeping():
    clock = VirtualClock(now=10.0, epoch=1_000.0)
    assert (clock.monotonic(), clock.wall()) == (10.0, 1_010.0)
    clock.sleep(600)
    clock.sleep(-5)  # a deadline that has passed
    assert (clock.monotonic(), clock.wall()) == (610.0, 1_610.0)
    assert clock.slept == [600, -5]


def test_the_machines_clock_never_runs_back():
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(-1)
    assert clock.monotonic() >= before
    assert clock.wall() > 1_700_000_000


def test_an_anchor_goes_both_ways():
    anchor = Anchor(monotonic=50.0, wall=1_700_000_000.0)
    assert anchor.to_wall(2.5) == 1_700_000_002.5
    assert anchor.from_wall(anchor.to_wall(2.5)) == 2.5
