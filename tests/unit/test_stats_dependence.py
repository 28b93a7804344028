"""The design effect: how many requests that are bad, or slow, together tell as much as one that is so alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from holdfast import stats
from holdfast.stats import Blocks


def even(bad, size=20):
    return Blocks(seconds=1, bad=tuple(bad), total=(size,) * len(bad))


def every_second(per_second, seconds):
    """Times of requests, evenly spaced."""
    return [(index + 0.5) / per_second for index in range(per_second * seconds)]


def test_correlations_by_hand():
    # 1 2 3 4 around 2.5: -1.5 -.5 .5 1.5, squares 5; lag 1: .75 - .25 + .75 = 1.25. A quarter of four values is one.
    assert list(stats.correlations(np.array([1.0, 2, 3, 4]))) == pytest.approx([0.25])
    # 0 0 4 4 0 0 4 4 around 2, squares 32; lag 1: + - + - + - + of 4 = 4; lag 2: six times -4 = -24.
    assert list(stats.correlations(np.array([0.0, 0, 4, 4, 0, 0, 4, 4]))) == pytest.approx([4 / 32, -24 / 32])


@pytest.mark.filterwarnings("error")
def test_a_series_that_never_changes_has_no_correlation_to_tell():
    assert list(stats.correlations(np.full(40, 0.1))) == []
    assert list(stats.correlations(np.array([]))) == []
    assert list(stats.correlations(np.array([1.0, 2.0, 3.0]))) == []


def test_correlations_find_those_of_an_autoregression():
    series = lfilter([1], [1, -0.8], np.random.default_rng(2).standard_normal(20_000))
    found = stats.correlations(series)
    assert [next(found) for _ in range(3)] == pytest.approx([0.8, 0.64, 0.512], abs=0.03)


def test_the_design_effect_by_hand():
    # 10 and 0 bad in two blocks of 20: ratio 1/4, deviations 5 and -5, squares 50 over 40 x 3/16 = 7.5, times 2/1.
    assert stats.design_effect(Blocks(seconds=1, bad=(10, 0), total=(20, 20))) == pytest.approx(50 / 7.5 * 2)


def test_the_design_effect_of_uneven_blocks_by_hand():
    # 24 of 48 bad: squares of half the sizes, 4 x (25 + 1) = 104, over 48 / 4 = 12, times 8/7.
    # Shares 1 1 1 1 0 0 0 0 around 1/2: lag 1 is 5/8, beyond 1.645 / sqrt(8) = .58; lag 2 is 1/4, which is within.
    blocks = Blocks(seconds=1, bad=(10, 2, 10, 2, 0, 0, 0, 0), total=(10, 2) * 4)
    assert stats.design_effect(blocks) == pytest.approx(104 / 12 * 8 / 7 * (1 + 2 * 5 / 8))


def test_one_bad_request_has_next_to_no_company_by_hand():
    # Around 1/40 a block: .975 ** 2 + 39 / 1600 = .975, over 799 / 800, times 40/39.
    assert stats.design_effect(even([1] + [0] * 39)) == pytest.approx(0.975 / (799 / 800) * 40 / 39)


def test_independent_requests_have_a_design_effect_near_one():
    # Its standard error over 1000 blocks is sqrt(2 / 1000) = 0.045.
    blocks = even(np.random.default_rng(4).binomial(20, 0.05, 1000).tolist())
    assert 1 <= stats.design_effect(blocks) < 1.15


def test_when_whole_blocks_fail_a_block_is_one_observation():
    # 20 bad or none: the variance is 20 times that of independent requests.
    whole = [20 * int(one) for one in np.random.default_rng(4).random(1000) < 0.05]
    assert stats.design_effect(even(whole)) == pytest.approx(20, rel=0.05)


def test_bursts_longer_than_a_block_add_their_correlation():
    # Each second of failure lasts four blocks: 4 x 20 requests tell as much as one.
    whole = np.repeat(np.random.default_rng(4).random(500) < 0.05, 4)
    assert stats.design_effect(even([20 * int(one) for one in whole])) == pytest.approx(80, rel=0.25)


def test_bad_requests_that_keep_apart_do_not_make_more_of_themselves():
    assert stats.design_effect(even([1] * 40)) == 1


@pytest.mark.parametrize("bad", [[], [3], [0] * 100, [20] * 100])
def test_without_two_blocks_and_both_outcomes_there_is_nothing_to_see(bad):
    assert stats.design_effect(even(bad)) == 1


def test_seconds_without_requests_are_no_blocks():
    busy = Blocks(seconds=1, bad=(10, 0, 3, 0), total=(20, 20, 20, 20))
    gaps = Blocks(seconds=1, bad=(10, 0, 0, 3, 0, 0), total=(20, 0, 20, 20, 0, 20))
    assert stats.design_effect(gaps) == stats.design_effect(busy)


def test_the_slowest_tenth_holds_ties_and_what_never_came():
    # The largest 2 of 20, places 18 and 19.
    assert stats.slowest(list(range(20))).nonzero()[0].tolist() == [18, 19]
    assert stats.slowest([0.0] * 18 + [math.nan, 5.0]).nonzero()[0].tolist() == [18, 19]
    assert stats.slowest([1.0] * 20).all()
    assert stats.slowest(list(range(10))).nonzero()[0].tolist() == [9]
    # One that took forever is as slow as one that never came.
    assert stats.slowest([0.0] * 17 + [math.inf, math.nan, math.nan]).sum() == 3
    assert (stats.slowest([]).tolist(), stats.slowest([]).dtype) == ([], bool)
    assert stats.slowest([7.0]).tolist() == [True]


def test_one_bad_request_a_run_still_shows_company_in_the_latencies():
    # 40 s x 10/s; in every tenth second all ten are slow: 10 requests tell as much as one.
    times = every_second(10, 40)
    slow = [0.2 if int(time) % 10 == 0 else 0.1 for time in times]
    assert stats.effect_seen(times, [False] * 400, slow) == pytest.approx(10, rel=0.1)


def test_the_larger_of_the_two_effects_counts():
    # Bad ones in one second, five of them; latencies all alike.
    times = every_second(10, 40)
    bad = [3 <= time < 3.5 for time in times]
    assert stats.effect_seen(times, bad, [0.1] * 400) == pytest.approx(5, rel=0.1)


def test_latencies_that_are_all_alike_show_no_company():
    assert stats.effect_seen(every_second(10, 40), [False] * 400, [0.1] * 400) == 1


def test_under_twenty_seconds_each_second_counts_as_one_request():
    # 19 s x 10/s: 190 requests in 19 blocks.
    assert stats.effect_seen(every_second(10, 19), [False] * 190, [0.1] * 190) == 10
    assert stats.effect_seen(every_second(10, 20), [False] * 200, [0.1] * 200) == 1
    assert stats.effect_seen(every_second(10, 1), [False] * 10, [0.1] * 10) == 10
    assert stats.effect_seen([], [], []) == 1


def test_a_request_every_ten_seconds_is_a_block_of_its_own():
    times = [10.0 * index for index in range(30)]
    assert stats.effect_seen(times, [False] * 30, [0.1] * 30) == 1
    assert stats.effect_seen(times[:5], [False] * 5, [0.1] * 5) == 1
