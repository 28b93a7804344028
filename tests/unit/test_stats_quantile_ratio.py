"""By what factor a quantile changed, with an interval that is honest about neighbours in a queue."""

from __future__ import annotations

import math

import numpy as np
import pytest

from holdfast.stats.quantile_ratio import BEYOND, block_length, quantile_ratio


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


def test_the_same_seed_gives_the_same_interval():
    assert ratio_of([lognormal(1)], [lognormal(2)]) == ratio_of([lognormal(1)], [lognormal(2)])


def test_too_few_requests_beyond_the_quantile_say_nothing():
    # 1 % of 900 is 9 requests beyond the 99th percentile; 10 are asked for.
    assert BEYOND == 10
    few, enough = (ratio_of([lognormal(1, size)], [lognormal(2, size)], share=0.99) for size in (900, 1100))
    assert math.isnan(few.estimate)
    assert math.isnan(few.low)
    assert few.base > 0
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
    assert found.estimate > 0
    assert math.isnan(found.low)


@pytest.mark.parametrize("values", [[math.nan], [-1.0]])
def test_a_latency_that_is_none_is_refused(values):
    with pytest.raises(ValueError, match="latency"):
        ratio_of([values], [lognormal(1)])


@pytest.mark.parametrize("share", [0, 1, math.nan])
def test_a_share_lies_between_0_and_1(share):
    with pytest.raises(ValueError, match="share"):
        ratio_of([lognormal(1)], [lognormal(2)], share=share)
