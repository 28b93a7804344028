"""The exact p-value of a comparison beside a sum over every pair of counts, and bounds where it is just enough."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import beta, binom

from holdfast import stats
from holdfast.stats import Sample, comparison


def most_likely_base_ratio(bad, total, base_bad, base_total, difference):
    """By halving: the slope of the log-likelihood only falls as the ratio rises, and the best may be an end."""
    shape = np.broadcast(bad, base_bad).shape
    low, high = np.full(shape, max(0.0, -difference)), np.full(shape, min(1.0, 1 - difference))
    for _ in range(60):
        p0 = (low + high) / 2
        p1 = p0 + difference
        # x1/p1 + x0/p0 > (n1-x1)/(1-p1) + (n0-x0)/(1-p0), where what was not seen does not pull, even at 0 or 1
        with np.errstate(divide="ignore", invalid="ignore"):
            up = np.where(bad > 0, bad / p1, 0) + np.where(base_bad > 0, base_bad / p0, 0)
            good, base_good = total - bad, base_total - base_bad
            down = np.where(good > 0, good / (1 - p1), 0) + np.where(base_good > 0, base_good / (1 - p0), 0)
        low, high = np.where(up > down, p0, low), np.where(up > down, high, p0)
    return high


def scores(bad, total, base_bad, base_total, difference):
    p0 = most_likely_base_ratio(bad, total, base_bad, base_total, difference)
    p1, both = p0 + difference, total + base_total
    variance = (p1 * (1 - p1) / total + p0 * (1 - p0) / base_total) * both / (both - 1)
    return (bad / total - base_bad / base_total - difference) / np.sqrt(np.maximum(variance, 1e-30))


def limits(bad, total, alpha):
    """Clopper and Pearson's, each side wrong in at most alpha."""
    low = beta.ppf(alpha, bad, total - bad + 1) if bad else 0.0
    return low, beta.isf(alpha, bad + 1, total - bad) if bad < total else 1.0


def plain_p(now, base, difference, alpha):
    (bad, total), (base_bad, base_total) = now, base
    # a thousandth of alpha, in four: for each end of each side
    spent = alpha / 1000
    (low1, high1), (low0, high0) = limits(bad, total, spent / 4), limits(base_bad, base_total, spent / 4)
    low, high = max(low0, low1 - difference), min(high0, high1 - difference)
    if low > high:
        return spent
    bads, base_bads = np.arange(total + 1)[:, np.newaxis], np.arange(base_total + 1)
    score = scores(bads, total, base_bads, base_total, difference)
    as_good = score <= score[bad, base_bad] + 1e-9
    return spent + max(
        (as_good * binom.pmf(bads, total, p0 + difference) * binom.pmf(base_bads, base_total, p0)).sum()
        for p0 in np.linspace(low, high, 41)
    )


# (bad, total), (bad, total) of the baseline, difference
EXACT = [
    # clean sides, small, equal and skewed; the base ratio is held by 0 below and by either side above
    ((0, 5), (0, 5), 0.3),
    ((0, 40), (0, 6), 0.1),
    ((0, 6), (0, 40), 0.1),
    ((1, 2), (0, 1), 0.4),
    # some are bad: the limits are those of the baseline, or of the other less the difference
    ((2, 9), (3, 11), 0.25),
    ((1, 30), (6, 12), -0.05),
    ((4, 4), (60, 120), 0.2),
    ((12, 25), (2, 8), 0.4),
    ((3, 8), (130, 240), -0.1),
    ((9, 240), (1, 8), 0.05),
    # worse than the margin: most outcomes are as good
    ((5, 6), (1, 7), 0.1),
    ((7, 7), (0, 9), 0.0),
    # everything bad: ratios up to 1, which leave no outcome but one
    ((5, 5), (5, 5), 0.0),
    ((3, 5), (7, 7), -0.2),
    ((2, 9), (9, 9), -0.6),
    ((6, 6), (2, 6), 0.9),
    # the difference is -1 or 1: one base ratio is left, or none
    ((0, 3), (3, 3), -1.0),
    ((3, 3), (0, 3), 1.0),
    ((1, 3), (0, 3), 1.0),
    # counts that leave no base ratio at this difference
    ((0, 40), (40, 40), 0.5),
    ((40, 40), (0, 40), 0.1),
]


@pytest.mark.parametrize(("now", "base", "difference"), EXACT)
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_exact_p_value_is_the_sum_over_every_pair_of_counts(now, base, difference, alpha):
    told = comparison._exact_p(Sample(*now), Sample(*base), difference, alpha)
    assert told == pytest.approx(plain_p(now, base, difference, alpha), abs=1e-9)


@pytest.mark.parametrize("seen", [(0, 4), (2, 3), (6, 0)])
def test_for_each_count_of_the_baseline_the_most_that_are_as_good_are_found(seen):
    # of 6 beside 4; the first is so good that beside most counts of the baseline not even none is
    table = scores(np.arange(7)[:, np.newaxis], 6, np.arange(5), 4, 0.1)
    told = comparison._most_as_good(6, 4, np.arange(5.0), 0.1, float(table[seen]))
    assert told.tolist() == ((table <= table[seen] + 1e-9).sum(axis=0) - 1).tolist()


@pytest.mark.parametrize("difference", [-0.3, -0.1, -0.05, 0.0, 0.05, 0.1, 0.3])
def test_the_restricted_ratio_is_one_that_can_be(difference):
    # Where all is good or all is bad two roots of the cubic meet: rounding would put them outside, or nowhere.
    least, most = max(0.0, -difference), min(1.0, 1 - difference)
    for total, base_total in product(range(1, 31), (1, 5, 20, 59)):
        for bad, base_bad in ((0, 0), (0, base_total), (total, 0), (total, base_total)):
            assert least <= comparison._restricted(bad, total, base_bad, base_total, difference) <= most


def test_outcomes_that_are_not_looked_at_count_against_us(monkeypatch):
    sides = Sample(3, 30), Sample(130, 240), -0.1, 0.05
    assert comparison._exact_p(*sides) < 0.01
    # At the least base ratio that is left, half of all outcomes are below the mean.
    monkeypatch.setattr(comparison, "_FARTHEST", 0.0)
    assert comparison._exact_p(*sides) > 0.4


# In the first three the exact distribution decides, in the others the score.
@pytest.mark.parametrize(
    ("now", "base", "margin"),
    [
        ((0, 59), (0, 10), 0.05),
        ((2, 60), (3, 50), 0.05),
        ((0, 12), (0, 5), 0.1),
        ((0, 5), (5, 5), 0.0),
        ((0, 4), (5, 6), 1 / 12),
    ],
)
def test_the_p_value_is_enough_and_nothing_less_is(now, base, margin):
    sides = Sample(*now), Sample(*base), margin
    p = stats.ALPHA
    for _ in range(20):  # a thousandth of alpha is in it: closer by three digits each time
        p = stats.not_worse_p_value(*sides, p)
    assert stats.not_worse_p_value(*sides, p) == p
    assert stats.not_worse(*sides, p)
    assert not stats.not_worse(*sides, p * (1 - 1e-9))


def test_a_difference_whose_score_is_just_enough_is_the_bound():
    # 0 of 5 beside 5 of 5: -1 / sqrt((1/4 / 5 + 1/4 / 5) * 10 / 9) = -3 standard errors at no difference
    sides = Sample(0, 5), Sample(5, 5)
    alpha = comparison._score_p(*sides, 0.0)
    assert alpha == pytest.approx(0.5 * math.erfc(3 / math.sqrt(2)))
    assert stats.difference_upper_bound(*sides, alpha) == 0


# In the last two the bound is more than twice as far from what was seen as the score's alone.
@pytest.mark.parametrize(
    ("now", "base", "alpha", "slack"),
    [
        ((20, 400), (20, 400), 0.05, 1e-5),
        ((20, 400), (40, 400), 0.05, 1e-5),
        ((300, 400), (100, 400), 0.05, 5e-6),
        ((0, 59), (0, 200), 0.05, 1e-5),
        ((0, 12), (0, 5), 0.2, 1e-4),
        ((1, 2575), (0, 30), 0.05, 1e-4),
    ],
)
def test_a_bound_is_proved_and_nothing_nearer_is(now, base, alpha, slack):
    sides = Sample(*now), Sample(*base)
    bound = stats.difference_upper_bound(*sides, alpha)
    assert stats.not_worse(*sides, bound, alpha)
    assert not stats.not_worse(*sides, bound - slack, alpha)
