"""By what factor a quantile changed, with an interval that is honest about neighbours in a queue."""

from __future__ import annotations

import math

import numpy as np
import pytest

from holdfast.stats.quantile_ratio import BEYOND, _resampled, autocorrelations, block_length, flat_top, quantile_ratio


def lognormal(seed, size=3000, memory=0.0, spread=0.5):
    """Latencies around 100 ms whose logarithms follow an AR(1) process."""
    from scipy.signal import lfilter

    noise = np.random.default_rng(seed).standard_normal(size + 200)
    level = lfilter([math.sqrt(1 - memory**2)], [1, -memory], noise)[200:]
    return 0.1 * np.exp(spread * level)


def ratio_of(base, new, share=0.5, alpha=0.05):
    return quantile_ratio(base, new, share, random=np.random.default_rng(1), alpha=alpha)


def test_a_side_that_is_a_fifth_slower_is_a_fifth_slower():
    found = ratio_of([lognormal(1)], [1.2 * lognormal(2)])
    assert found.estimate == pytest.approx(1.2, rel=0.05)
    assert 1 < found.low < 1.2 < found.high
    assert found.estimate == found.new / found.base


def test_the_interval_is_as_wide_as_theory_says():
    # The median of n lognormal values has a log standard error of sigma * sqrt(pi / 2 / n); a ratio has sqrt(2) of it.
    error = 0.5 * math.sqrt(math.pi / 2 / 3000) * math.sqrt(2)
    found = ratio_of([lognormal(1)], [lognormal(2)])
    assert math.log(found.high / found.low) / 2 == pytest.approx(1.96 * error, rel=0.2)
    # A change is seen in 90 % of all cases when it is 1.96 + 1.28 standard errors away.
    assert math.log(found.smallest) == pytest.approx((1.96 + 1.28) * error, rel=0.2)


def test_requests_that_share_a_queue_tell_less():
    alone = ratio_of([lognormal(1)], [lognormal(2)])
    together = ratio_of([lognormal(1, memory=0.9)], [lognormal(2, memory=0.9)])
    assert math.log(together.smallest) > 2 * math.log(alone.smallest)


def test_blocks_are_as_long_as_the_memory():
    lengths = [block_length(lognormal(3, memory=memory) > 0.1) for memory in (0.0, 0.5, 0.9)]
    assert lengths[0] >= math.cbrt(3000)
    assert lengths == sorted(lengths)
    assert lengths[2] > 2 * lengths[0]


def test_runs_that_differ_from_each_other_widen_the_interval():
    same = [lognormal(seed) for seed in range(6)]
    apart = [factor * run for factor, run in zip((1.0, 1.3, 0.8, 1.2, 0.9, 1.1), same, strict=True)]
    assert math.log(ratio_of(apart[:3], apart[3:]).smallest) > 2 * math.log(ratio_of(same[:3], same[3:]).smallest)


# Runs that never vary: their pooled median is 1 in every sample, so all there is to doubt is what runs differ by.
STILL = np.full(3000, 1.0)
SLOWER = np.full(1000, 2.0)


def test_without_chance_there_is_no_doubt():
    found = ratio_of([STILL], [STILL])
    assert (found.base, found.new, found.estimate) == (1, 1, 1)
    assert (found.low, found.high, found.smallest) == (1, 1, 1)


def test_two_runs_a_side_are_doubted_by_how_much_they_differ():
    # The logarithms of 1 and 2 have the variance log(2)**2 / 2, their mean half of it: an error of log(2) / 2.
    # Three runs in two sides leave one degree of freedom: t is 12.706 at 97.5 %, 3.078 at 90 %.
    found = ratio_of([STILL], [STILL, SLOWER])
    assert found.estimate == 1
    assert math.log(found.high) == pytest.approx(12.706 * math.log(2) / 2, rel=1e-4)
    assert math.log(found.low) == pytest.approx(-12.706 * math.log(2) / 2, rel=1e-4)
    assert math.log(found.smallest) == pytest.approx((12.706 + 3.078) * math.log(2) / 2, rel=1e-4)


def test_one_run_more_is_one_degree_of_freedom_more():
    # Variance of log(1), log(1), log(2): log(2)**2 / 3; of their mean log(2)**2 / 9. t with two degrees: 4.303.
    found = ratio_of([STILL], [STILL, STILL, SLOWER])
    assert math.log(found.high) == pytest.approx(4.303 * math.log(2) / 3, rel=1e-3)


@pytest.mark.filterwarnings("error")
def test_one_run_a_side_says_nothing_about_how_runs_differ():
    found = ratio_of([lognormal(1, 64)], [STILL])
    assert 0 < found.low < found.estimate < found.high


def test_a_run_tells_as_much_as_it_has_blocks():
    # 40 fast and then 24 slow requests: they go together as far as a block may reach, 64 / 8 = 8 requests.
    run = np.repeat([1.0, 2.0], [40, 24])
    assert block_length(run > 1) == 8
    # 8 blocks have 7 degrees of freedom: t is 2.3646 at 97.5 % and 1.4149 at 90 %, whatever the error.
    found = ratio_of([run], [STILL])
    error = math.log(found.high / found.low) / 2 / 2.3646
    assert error > 0
    assert math.log(found.smallest) == pytest.approx((2.3646 + 1.4149) * error, rel=1e-4)


def test_any_request_may_be_missing_from_a_sample():
    # Two draws of two requests miss the faster one in a quarter of all samples: then the median is the slower one.
    found = _resampled([(np.array([1.0, 2.0]), 1)], 0.5, np.random.default_rng(1))
    assert set(found) == {1.0, 2.0}
    assert np.mean(found == 2) == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize(("share", "quantile"), [(0.5, 1.0), (0.51, 2.0)])
def test_blocks_of_fast_and_slow_in_turn_are_all_half_fast(share, quantile):
    # Of 64 drawn the 32nd is fast and the 33rd slow, in every sample: blocks go round the end.
    found = _resampled([(np.tile([1.0, 2.0], 32), 2)], share, np.random.default_rng(1))
    assert set(found) == {quantile}


def test_the_same_seed_gives_the_same_interval():
    assert ratio_of([lognormal(1)], [lognormal(2)]) == ratio_of([lognormal(1)], [lognormal(2)])


def test_too_few_requests_beyond_the_quantile_say_nothing():
    # 1 % of 900 is 9 requests beyond the 99th percentile; 10 are asked for.
    assert BEYOND == 10
    few, enough = (ratio_of([lognormal(1, size)], [lognormal(2, size)], share=0.99) for size in (900, 1100))
    assert math.isnan(few.estimate)
    assert math.isnan(few.low)
    # The quantiles themselves are told all the same: inverted_cdf takes the 891st of 900.
    assert (few.base, few.new) == tuple(sorted(lognormal(seed, 900))[890] for seed in (1, 2))
    assert enough.low < enough.estimate < enough.high


@pytest.mark.parametrize("side", [[], [[]], [np.full(3000, math.inf)], [np.zeros(3000)]])
def test_without_a_quantile_there_is_no_ratio(side):
    for found in (ratio_of(side, [lognormal(1)]), ratio_of([lognormal(1)], side)):
        assert math.isnan(found.estimate)
        assert math.isnan(found.high)


def test_where_resampling_may_reach_the_failures_no_interval_is_given():
    # 0.9 % failed: the 99th percentile was seen, but in another sample it might have been a failure.
    failing = lognormal(1)
    failing[::110] = math.inf
    found = ratio_of([failing], [lognormal(2)], share=0.99)
    assert (found.base, found.new) == (sorted(failing)[2969], sorted(lognormal(2))[2969])
    assert found.estimate == found.new / found.base
    assert math.isnan(found.low)


def test_ten_requests_beyond_the_quantile_are_enough_and_it_is_one_that_was_seen():
    # Half of 20 are 10: the median is the 10th of 1 to 20, not 10.5 between two of them.
    found = ratio_of([np.arange(1.0, 21)], [np.arange(1.0, 21)])
    assert (found.base, found.new, found.estimate) == (10, 10, 1)
    assert math.isnan(ratio_of([np.arange(1.0, 20)], [np.arange(1.0, 21)]).estimate)


@pytest.mark.parametrize("other", [0.0, math.inf])
def test_where_a_run_of_its_own_has_no_quantile_no_interval_is_given(other):
    found = ratio_of([STILL], [STILL, np.full(1000, other)])
    assert found.estimate == 1
    assert math.isnan(found.high)


@pytest.mark.parametrize("values", [[math.nan], [-1.0], [None]])
def test_a_latency_that_is_none_is_refused(values):
    with pytest.raises(ValueError, match="latency"):
        ratio_of([values], [lognormal(1)])


@pytest.mark.parametrize("share", [0, 1, math.nan])
def test_a_share_lies_between_0_and_1(share):
    with pytest.raises(ValueError, match="share"):
        ratio_of([lognormal(1)], [lognormal(2)], share=share)


def test_values_in_turn_are_unlike_their_neighbours():
    # 16 values half a unit off their mean: 15 pairs of neighbours of -1/4 each, 14 pairs of +1/4, of 16 quarters.
    assert autocorrelations(np.tile([0, 1], 8)) == pytest.approx([-15 / 16, 14 / 16])
    # Of 17 the mean is 8/17: nine zeros and eight ones, a power of 9 * (8/17)**2 + 8 * (9/17)**2 = 72/17.
    # 16 pairs of -72/289; then 8 pairs of zeros and 7 of ones, (8 * 64 + 7 * 81) / 289.
    assert autocorrelations(np.arange(17) % 2) == pytest.approx([-16 / 17, (8 * 64 + 7 * 81) / 289 / (72 / 17)])


@pytest.mark.parametrize(("size", "lags"), [(7, 0), (8, 1), (1600, 200), (10_000, 500)])
def test_correlations_reach_an_eighth_of_the_series_and_five_times_its_root_at_most(size, lags):
    assert len(autocorrelations(np.arange(size) % 2)) == lags
    # What never changes is like nothing.
    assert autocorrelations(np.ones(size)).tolist() == [0.0] * lags


@pytest.mark.parametrize(("size", "length"), [(1, 1), (15, 1), (16, 2), (63, 4), (1000, 10), (1001, 11)])
def test_without_memory_blocks_are_the_cube_root_but_an_eighth_at_most(size, length):
    assert flat_top(np.zeros(size // 8), size) == length


def after_ten(tail):
    """Ten correlations of a half, five of nothing, which end the memory, and what comes then."""
    return np.array([0.5] * 10 + [0.0] * 5 + tail)


def test_the_window_is_flat_over_the_memory_and_falls_to_nothing_over_as_much_again():
    # Weights: 1 to lag 10, then 0.4, 0.3, 0.2, 0.1 at lags 16 to 19, and none from lag 20 on.
    # spread = 1 + 2 * (10 / 2 + 1.0 / 2) = 12
    # slope = 2 * (55 / 2 + (16 * 0.4 + 17 * 0.3 + 18 * 0.2 + 19 * 0.1) / 2) = 55 + 17 = 72
    # length = cbrt(1.5 * (72 / 12)**2 * n) = cbrt(54 * n): 599.5 for n = 3 990 000
    assert flat_top(after_ten([0.5] * 10), 3_990_000) == 600


def test_the_memory_ends_where_five_correlations_in_a_row_mean_nothing():
    # Four in a row do not end it: lags 1 and 6 count in full. spread = 1 + 2 * 1 = 3, slope = 2 * (1 + 6) / 2 = 7;
    # cbrt(1.5 * (7 / 3)**2 * 1e6) = 201.4
    gap = np.array([0.5, 0, 0, 0, 0, 0.5] + [0.0] * 20)
    assert flat_top(gap, 1_000_000) == 202
    # Five do: what comes after lag 2 is chance. spread = 1 + 2 * 0.5 = 2, slope = 2 * 0.5 = 1; the root is larger.
    later = np.array([0.5, 0, 0, 0, 0, 0, 0.5] + [0.0] * 20)
    assert flat_top(later, 1_000_000) == 100


def test_a_correlation_below_two_times_the_root_of_log10_n_over_n_means_nothing():
    # Of 10 000 values: 2 * sqrt(4 / 10 000) = 0.04. Below it there is no memory, and cbrt(10 000) = 21.5.
    assert flat_top(np.array([0.039] * 40), 10_000) == 22
    # At it all 40 lags count: spread = 1 + 2 * 1.6 = 4.2 and slope = 2 * 0.04 * (1 + ... + 40) = 65.6;
    # cbrt(1.5 * (65.6 / 4.2)**2 * 10 000) = 154.1
    assert flat_top(np.array([0.04] * 40), 10_000) == 155


def test_a_memory_without_an_end_is_all_that_was_looked_at():
    # Three lags of 0.9, all significant and all in full: spread = 1 + 5.4, slope = 2 * 0.9 * 6 = 10.8;
    # cbrt(1.5 * (10.8 / 6.4)**2 * 1e6) = 162.3
    assert flat_top(np.array([0.9] * 3), 1_000_000) == 163


def test_values_in_turn_need_long_blocks_as_far_as_they_may_be():
    # spread = 1 - 0.8 = 0.2, slope = -0.8; cbrt(1.5 * 16 * 8990) = 59.98
    assert flat_top(np.array([-0.4] + [0.0] * 20), 8_990) == 60
    # Nothing is left of the spread: an eighth of the series.
    assert flat_top(np.array([-0.5] + [0.0] * 20), 8_990) == 8_990 // 8
