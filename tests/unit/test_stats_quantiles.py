"""Bounds of quantiles against published ranks and against the binomial distribution itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from holdfast import stats


@pytest.mark.parametrize(("total", "rank"), [(298, None), (299, 299), (1000, 996), (10_000, 9917)])
def test_the_upper_rank_of_p99_is_the_published_one(total, rank):
    assert stats.upper_rank(total, 0.99) == rank


@pytest.mark.parametrize(("quantile", "total"), [(0.99, 299), (0.999, 2995), (0.5, 5), (0.95, 59)])
def test_a_quantile_needs_as_many_values_as_its_exceedances_need_clean_requests(quantile, total):
    assert stats.least_for_quantile(quantile) == total
    assert stats.upper_rank(total, quantile) == total
    assert stats.upper_rank(total - 1, quantile) is None
    assert total == stats.least_clean_events(round(1 - quantile, 12))


@pytest.mark.parametrize("quantile", [0.01, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("total", [5, 59, 300, 1001])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_ranks_are_the_tightest_that_keep_the_level(quantile, total, alpha):
    upper, lower = stats.upper_rank(total, quantile, alpha), stats.lower_rank(total, quantile, alpha)
    if upper is not None:
        # wrong when `upper` or more values lie below the quantile
        assert binom.sf(upper - 1, total, quantile) <= alpha
        assert binom.sf(upper - 2, total, quantile) > alpha
    if lower is not None:
        # wrong when fewer than `lower` values lie at or below it
        assert binom.cdf(lower - 1, total, quantile) <= alpha
        assert binom.cdf(lower, total, quantile) > alpha


def test_a_bound_is_one_of_the_values_seen():
    # Of 1..1000 the 996th is 996.
    values = list(np.random.default_rng(1).permutation(np.arange(1.0, 1001.0)))
    assert stats.quantile_upper_bound(values, 0.99) == 996
    assert stats.quantile_lower_bound(values, 0.99) == 985
    # at 1 %: P(at most 2 of 1000 beyond) = .0027, at most 3 = .0101
    assert stats.quantile_upper_bound(values, 0.99, 0.01) == 998
    assert stats.quantile_lower_bound(values, 0.99, 0.01) == 982


def test_too_few_values_bound_nothing():
    assert stats.quantile_upper_bound([], 0.5) is None
    assert stats.quantile_lower_bound([], 0.5) is None
    assert stats.quantile_upper_bound([1.0] * 298, 0.99) is None


def test_a_request_that_never_ended_counts_as_infinitely_slow():
    assert stats.quantile_upper_bound([0.1] * 299 + [math.inf], 0.99) == math.inf


def test_a_value_that_is_not_a_number_has_no_rank():
    with pytest.raises(ValueError, match="not a number"):
        stats.quantile_upper_bound([1.0, math.nan], 0.5)


@pytest.mark.parametrize("quantile", [0.0, 1.0, math.nan])
def test_a_quantile_lies_between_zero_and_one(quantile):
    with pytest.raises(ValueError, match="a quantile must lie"):
        stats.upper_rank(10, quantile)
    with pytest.raises(ValueError, match="a quantile must lie"):
        stats.least_for_quantile(quantile)


def test_the_bounds_are_wrong_about_as_often_as_they_say():
    # 2000 samples of 400 exponential values; 3 sigma of 5 % are 3 * sqrt(0.05 * 0.95 / 2000) = 1.5 %.
    samples = np.random.default_rng(5).exponential(size=(2000, 400))
    truth = -math.log(0.05)
    above = np.sort(samples, axis=1)[:, stats.upper_rank(400, 0.95) - 1]
    below = np.sort(samples, axis=1)[:, stats.lower_rank(400, 0.95) - 1]
    assert 0.01 < (above < truth).mean() <= 0.065
    assert 0.01 < (below > truth).mean() <= 0.065
