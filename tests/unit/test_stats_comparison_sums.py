"""The comparison of two bad-event ratios beside plain sums over every outcome, and at the edges of what it takes."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from holdfast import stats
from holdfast.stats import Sample


# (total, ratio, base total, base ratio, margin); in the second the first outcomes of the baseline are rarer than 1e-12.
@pytest.mark.parametrize(
    "cell",
    [(6, 0.5, 7, 0.5, 0.6), (6, 0.4, 60, 0.5, 0.2), (4, 0.5, 3, 0.5, 0.99), (3, 0.9, 6, 0.9, 0.9)],
    ids=str,
)
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_chance_of_a_proof_is_the_sum_over_every_pair_of_counts(cell, alpha):
    total, ratio, base_total, base_ratio, margin = cell
    plain = sum(
        binom.pmf(bad, total, ratio) * binom.pmf(base_bad, base_total, base_ratio)
        for base_bad in range(base_total + 1)
        for bad in range(total + 1)
        if stats.not_worse(Sample(bad, total), Sample(base_bad, base_total), margin, alpha)
    )
    told = stats.chance_not_worse(
        total, ratio, base_total=base_total, base_ratio=base_ratio, margin=margin, alpha=alpha
    )
    assert told == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize("total", [7, 56, 57, 58, 59, 60, 61, 62, 63, 240])
@pytest.mark.parametrize(("margin", "alpha"), [(0.1, 0.05), (0.1, 0.01), (0.99, 0.2)])
def test_the_most_bad_is_the_last_that_is_proved(total, margin, alpha):
    base = Sample(1, 100)
    passing = [stats.not_worse(Sample(bad, total), base, margin, alpha) for bad in range(total + 1)]
    assert passing == sorted(passing, reverse=True)
    assert stats.most_bad_not_worse(total, base, margin, alpha) == sum(passing) - 1


@pytest.mark.parametrize(("margin", "alpha"), [(0.1, 0.05), (0.1, 0.01), (0.02, 0.05)])
def test_the_least_clean_events_are_enough_and_not_one_too_many(margin, alpha):
    base = Sample(0, 500)
    least = stats.least_clean_not_worse(margin, base, alpha)
    assert stats.not_worse(Sample(0, least), base, margin, alpha)
    assert not stats.not_worse(Sample(0, least - 1), base, margin, alpha)


def test_the_p_value_of_what_is_surely_worse_is_one():
    assert stats.not_worse_p_value(Sample(10, 10), Sample(0, 10), 0.0) == 1


def test_all_bad_is_no_surprise_beside_a_baseline_that_is_all_bad():
    # 100 of 100 leave no base ratio that could be exceeded by a half
    assert stats.most_bad_not_worse(10, Sample(100, 100), 0.5) == 10


def test_one_event_of_either_side_can_be_enough():
    # one good event, were 96 % bad: 4 % <= alpha
    assert stats.not_worse(Sample(0, 1), Sample(0, 500), 0.96)
    # 100 good ones are no worse than anything
    assert stats.not_worse(Sample(0, 100), Sample(1, 1), 0.05)
    # two good ones, one on each side, were one of them surely bad and the other nearly so
    assert stats.not_worse(Sample(0, 1), Sample(1, 1), 0.96)


@pytest.mark.parametrize("sides", [((0, 0.5), (0, 0.5)), ((0, 0.99), (1, 1)), ((0, 7), (0.5, 0.99))])
def test_a_part_of_an_event_is_not_enough(sides):
    now, base = (Sample(*side) for side in sides)
    assert not stats.not_worse(now, base, 0.99)
    assert stats.not_worse_p_value(now, base, 0.99) == 1
    assert stats.difference_upper_bound(now, base) == 1


@pytest.mark.parametrize("now", [Sample(10, 10), Sample(9.5, 9.9)])
def test_all_bad_beside_a_clean_baseline_may_differ_by_everything_but_no_more(now):
    # the second is 9 of 9 in whole events, but not so for the score
    assert stats.difference_upper_bound(now, Sample(0, 10)) == 1
    assert stats.not_worse_p_value(now, Sample(0, 10), 1.0) == 1


def test_no_chance_is_more_than_one():
    # Clean ones are always within a margin of 99 %; the chances of all baselines sum to 1, and rounding adds to some.
    for base_total in range(1, 30):
        chance = stats.chance_not_worse(2, 0.0, base_total=base_total, base_ratio=0.5, margin=0.99)
        assert 1 - 1e-9 < chance <= 1
