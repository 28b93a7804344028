"""Blocks of time: how they are cut, and what bounds need before they speak."""

from __future__ import annotations

import math

import pytest

from holdfast import stats
from holdfast.stats import Blocks


def even(bad, size=20):
    return Blocks(seconds=1, bad=tuple(bad), total=(size,) * len(bad))


def test_events_fall_into_the_block_their_time_is_in():
    # [10, 12) holds 10.0 and 11.9, [12, 14) nothing, [14, 16) 14.0
    blocks = stats.blocks_of((14.0, 10.0, 11.9), (True, False, True), 2, start=10)
    assert (blocks.bad, blocks.total) == ((1, 0, 1), (2, 0, 1))
    assert (blocks.fractions, blocks.sizes) == ((0.5, 1.0), (2, 1))
    assert {type(count) for count in blocks.bad + blocks.total} == {int}


def test_an_event_lies_before_the_edge_that_its_time_does_not_reach():
    # Ten times the double next to 0.1 is a little more than 1, so 1.0 is still in the tenth block.
    assert len(stats.blocks_of((1.0,), (True,), 0.1).total) == 10


def test_no_events_make_no_blocks():
    assert stats.blocks_of((), (), 1) == Blocks(seconds=1, bad=(), total=())


def test_events_without_a_proper_time_are_refused():
    for time in (math.nan, math.inf, -0.1):
        with pytest.raises(ValueError, match="finite time"):
            stats.blocks_of((time,), (True,), 1)
    for seconds in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="positive number of seconds"):
            stats.blocks_of((1,), (True,), seconds)
    with pytest.raises(ValueError, match="do not belong together"):
        stats.blocks_of((1,), (), 1)


def test_under_twenty_blocks_nothing_is_said():
    assert stats.mean_upper_bound(even([0] * 19)) is None
    assert stats.mean_lower_bound(even([20] * 19)) is None
    empty = Blocks(seconds=1, bad=(0,) * 30, total=(20,) * 19 + (0,) * 11)
    assert stats.mean_upper_bound(empty) is None


def test_a_clean_run_needs_about_three_point_seven_blocks_per_limit():
    # ln(20 / 0.6) / ln(1 + 0.95 * 0.01 / 0.99) = 367.2 if only the boldest stake paid; the others add a little.
    needed = next(n for n in range(300, 400) if stats.mean_upper_bound(even([0] * n)) <= 0.01)
    assert 350 < needed <= 368
    assert stats.mean_upper_bound(even([0] * needed, size=2000)) == stats.mean_upper_bound(even([0] * needed))


def test_clean_blocks_bound_nothing_from_below_and_bad_ones_nothing_from_above():
    assert stats.mean_lower_bound(even([0] * 100)) == 0
    assert stats.mean_upper_bound(even([20] * 100)) == 1


def test_the_capital_against_a_mean_is_the_product_of_the_bets_by_hand():
    # Against 0.5 from above, blocks 0 and 1: a stake s makes (1 + s)(1 - s) of 1.
    ends = [(1 - stake**2) * part for stake, part in ((0.95, 0.6), (0.6, 0.2), (0.3, 0.1), (0.1, 0.1))]
    assert math.exp(stats.log_capital_path((0.0, 1.0), 0.5, "good")[-1]) == pytest.approx(sum(ends))


def test_each_of_many_runs_has_a_capital_of_its_own():
    runs = ((0.0, 1.0, 0.5), (1.0, 0.0, 0.0))
    together = stats.log_capital_path(runs, 0.4, "bad")
    assert together.tolist() == [stats.log_capital_path(run, 0.4, "bad").tolist() for run in runs]


def test_a_small_block_weighs_less_than_a_large_one():
    small = Blocks(seconds=1, bad=(0,) * 60 + (5,), total=(100,) * 60 + (5,))
    large = Blocks(seconds=1, bad=(0,) * 60 + (100,), total=(100,) * 60 + (100,))
    assert stats.mean_upper_bound(small) < stats.mean_upper_bound(large)
    assert stats.mean_lower_bound(small) < stats.mean_lower_bound(large)


def test_uneven_blocks_speak_of_requests_and_not_of_blocks():
    # A block of 1 request, all bad, beside each block of 99, all good: 1 % of the requests, half of the blocks.
    blocks = Blocks(seconds=1, bad=(0, 1) * 2000, total=(99, 1) * 2000)
    assert stats.mean_lower_bound(blocks) < 0.01 < stats.mean_upper_bound(blocks) < 0.02


def test_impossible_means_shares_and_counts_are_refused():
    for mean in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="a mean to bet against"):
            stats.log_capital_path((0.5,), mean, "good")
    for share in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            stats.log_capital_path((share,), 0.5, "bad")
    with pytest.raises(ValueError, match="size of its own"):
        stats.log_capital_path((0.5, 0.5), 0.5, "bad", (1,))
    with pytest.raises(ValueError, match="at least one event"):
        stats.log_capital_path((0.5, 0.5), 0.5, "bad", (1, 0))
    with pytest.raises(ValueError, match="shorter"):
        stats.mean_upper_bound(Blocks(seconds=1, bad=(0, 0), total=(20,)))
    with pytest.raises(ValueError, match="cannot be"):
        stats.mean_upper_bound(even([21] * 30))
    with pytest.raises(ValueError, match="alpha must lie"):
        stats.mean_upper_bound(even([0] * 30), 1.0)
