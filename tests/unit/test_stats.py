"""Exact bounds against published numbers and against scipy's own exact intervals."""

from __future__ import annotations

import pytest
from scipy.stats import binom, binomtest

from holdfast import stats

# Clopper-Pearson, one-sided 95 %: requests needed to prove an objective with 0, 1, 2, 3 and 5 bad ones among them;
# and with none at 99 %.
PUBLISHED = [
    (0.05, (59, 93, 124, 153, 208), 90),
    (0.01, (299, 473, 628, 773, 1049), 459),
    (0.005, (598, 947, 1258, 1549, 2100), 919),
    (0.001, (2995, 4742, 6294, 7752, 10511), 4603),
    (0.0005, (5990, 9486, 12590, 15505, 21024), 9209),
    (0.0001, (29956, 47437, 62956, 77535, 105128), 46050),
]


@pytest.mark.parametrize(("limit", "needed", "needed_99"), PUBLISHED)
def test_requests_needed_are_those_of_the_published_table(limit, needed, needed_99):
    for bad, total in zip((0, 1, 2, 3, 5), needed, strict=True):
        assert stats.upper_bound(bad, total) <= limit
        assert stats.upper_bound(bad, total - 1) > limit
    assert stats.least_clean_events(limit) == needed[0]
    assert stats.least_clean_events(limit, 0.01) == needed_99


@pytest.mark.parametrize(("limit", "needed", "_"), PUBLISHED)
def test_bad_requests_allowed_are_those_of_the_published_table(limit, needed, _):
    for bad, total in zip((0, 1, 2, 3, 5), needed, strict=True):
        assert stats.most_bad_that_passes(total, limit) == bad
        assert stats.most_bad_that_passes(total - 1, limit) == bad - 1


@pytest.mark.parametrize(
    ("total", "chances"),
    [(2995, {2: 0.22, 5: 0.55, 10: 0.74}), (10511, {2: 0.57, 5: 0.98, 10: 0.999})],
)
def test_the_chance_to_pass_is_the_published_power(total, chances):
    # A service at a half, a fifth, a tenth of the allowed 0.1 %.
    for share, chance in chances.items():
        assert stats.chance_to_pass(total, 0.001, 0.001 / share) == pytest.approx(chance, abs=0.006)


@pytest.mark.parametrize(("clean", "below"), [(1, 0.95), (10, 0.26), (29, 0.10), (59, 0.05)])
def test_clean_repetitions_of_a_fault_show_little(clean, below):
    # 1 - 0.05 ^ (1 / n): one clean injection only shows a failure probability under 95 %.
    assert stats.upper_bound(0, clean) == pytest.approx(1 - 0.05 ** (1 / clean))
    assert stats.upper_bound(0, clean) <= below + 0.001


@pytest.mark.parametrize(("bad", "total"), [(0, 1), (1, 1), (0, 240), (4, 240), (30, 240), (239, 240), (17, 100_000)])
def test_bounds_are_those_of_scipys_exact_test(bad, total):
    # One-sided at 5 % each = two-sided at 90 %.
    interval = binomtest(bad, total).proportion_ci(confidence_level=0.90, method="exact")
    assert stats.lower_bound(bad, total) == pytest.approx(interval.low, abs=1e-12)
    assert stats.upper_bound(bad, total) == pytest.approx(interval.high, abs=1e-12)


def test_nothing_seen_excludes_nothing():
    assert (stats.lower_bound(0, 0), stats.upper_bound(0, 0)) == (0.0, 1.0)
    assert stats.most_bad_that_passes(0, 0.01) == -1
    assert stats.chance_to_pass(0, 0.01, 0.0) == 0.0
    assert stats.events_to_pass(0, 0, 0.01) == 299


def test_few_events_prove_nothing_even_when_all_are_good():
    assert stats.most_bad_that_passes(298, 0.01) == -1
    assert stats.chance_to_pass(298, 0.01, 0.0) == 0.0


@pytest.mark.parametrize(("bad", "total"), [(-1, 10), (11, 10), (1, 0), (0, -1)])
def test_impossible_counts_are_refused(bad, total):
    for bound in (stats.lower_bound, stats.upper_bound):
        with pytest.raises(ValueError, match="cannot be"):
            bound(bad, total)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, float("nan")])
def test_an_error_probability_lies_between_zero_and_one(alpha):
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        stats.upper_bound(0, 10, alpha)


def test_no_number_of_events_proves_a_ratio_of_zero():
    with pytest.raises(ValueError, match="no finite number"):
        stats.least_clean_events(0.0)
    assert stats.events_to_pass(0, 100, 0.0, most=10_000) is None


def test_a_limit_of_one_is_always_kept():
    assert stats.least_clean_events(1.0) == 0
    assert stats.most_bad_that_passes(7, 1.0) == 7
    assert stats.most_bad_that_passes(1, 1.0) == 1


def test_no_event_proves_nothing_not_even_a_limit_of_one():
    assert stats.most_bad_that_passes(0, 1.0) == -1


def test_a_bound_exactly_at_the_limit_is_within_it():
    # One good event at alpha 1/2: 1 - 0.5 ^ (1 / 1) = 0.5.
    assert stats.upper_bound(0, 1, 0.5) == 0.5
    assert stats.most_bad_that_passes(1, 0.5, 0.5) == 0
    assert stats.events_to_pass(0, 0, 0.5, 0.5) == 1


def test_a_stricter_level_needs_more_events():
    # ln 0.01 / ln 0.99 = 458.2 and ln 0.1 / ln 0.99 = 229.1, where 5 % takes 299.
    assert stats.events_to_pass(0, 0, 0.01, 0.01) == 459
    assert stats.chance_to_pass(298, 0.01, 0.0, 0.1) == 1


@pytest.mark.parametrize("least", [0, 1, 2, 3, 128, 200, 256, 257])
def test_the_first_number_at_which_something_holds_is_found_and_is_whole(least):
    found = stats.first_that(lambda number: number >= least)
    assert (found, type(found)) == (least, int)


def test_what_needs_more_than_the_most_events_is_not_waited_for():
    assert stats.events_to_pass(0, 0, 0.01, most=100) is None
    assert stats.first_that(lambda number: number >= 200, most=256) == 200
    # Between the last power of two and the most that is asked for; at it, and beyond.
    assert [stats.first_that(lambda number: number >= 299, most=most) for most in (300, 299, 298)] == [299, 299, None]
    assert stats.first_that(lambda number: number >= 0, most=0) == 0
    assert stats.first_that(lambda number: number >= 1, most=0) is None


def test_the_bound_is_wrong_at_most_as_often_as_it_says():
    # Of all outcomes of 300 requests at a true 1 %, those whose bound lies below 1 % together weigh at most 5 %.
    wrong = sum(binom.pmf(bad, 300, 0.01) for bad in range(301) if stats.upper_bound(bad, 300) < 0.01)
    assert 0 < wrong <= 0.05
