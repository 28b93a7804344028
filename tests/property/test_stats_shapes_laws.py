"""Laws of quantile bounds, of families of tests and of recovery times."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import stats

QUANTILES = st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.99])
P_VALUES = st.lists(st.floats(0, 1), max_size=12)
RUNS = st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=40)


@settings(deadline=None)  # scipy is imported by the first example
@given(st.integers(0, 3000), QUANTILES)
def test_the_lower_rank_stands_below_the_upper(total, quantile):
    low, high = stats.lower_rank(total, quantile), stats.upper_rank(total, quantile)
    assert low is None or 1 <= low <= total
    assert high is None or 1 <= high <= total
    assert low is None or high is None or low < high


@settings(deadline=None)  # scipy is imported by the first example
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=400), QUANTILES)
def test_a_slower_request_never_lowers_the_bound_of_a_quantile(values, quantile):
    bound = stats.quantile_upper_bound(values, quantile)
    slower = stats.quantile_upper_bound([*values[1:], max(values)], quantile)
    assert (bound is None and slower is None) or slower >= bound


@settings(deadline=None)  # scipy is imported by the first example
@given(st.lists(st.floats(0, 10), min_size=60, max_size=200), st.floats(0, 10))
def test_a_quantile_within_a_bound_is_a_share_within_a_limit(values, limit):
    # "p95 is at most x" and "at most 5 % take longer than x" are one claim, proved by the same counts.
    bound = stats.quantile_upper_bound(values, 0.95)
    beyond = sum(value > limit for value in values)
    assert (bound <= limit) == (stats.upper_bound(beyond, len(values)) <= 0.05)


@given(P_VALUES)
def test_holm_rejects_between_bonferroni_and_no_correction(p_values):
    for p, adjusted in zip(p_values, stats.holm_adjusted(p_values), strict=True):
        assert p <= adjusted <= 1
        assert adjusted <= min(1, p * len(p_values)) or any(q < p for q in p_values)
    assert all(p > 0.05 / len(p_values) or fell for p, fell in zip(p_values, stats.holm(p_values), strict=True))


@given(P_VALUES)
def test_holm_keeps_the_order_of_the_evidence(p_values):
    pairs = sorted(zip(p_values, stats.holm_adjusted(p_values), strict=True))
    assert [adjusted for _, adjusted in pairs] == sorted(adjusted for _, adjusted in pairs)


@settings(deadline=None)  # scipy is imported by the first example
@given(st.integers(0, 300), st.integers(0, 3000), st.sampled_from([0.1, 0.01, 0.001]))
def test_a_small_p_value_and_a_bound_beyond_the_limit_are_one_thing(bad, good, limit):
    p_value = stats.breach_p_value(bad, bad + good, limit)
    if abs(p_value - 0.05) > 1e-9:
        assert (p_value < 0.05) == (stats.lower_bound(bad, bad + good) > limit)


@given(RUNS)
def test_the_share_still_waiting_only_falls(runs):
    steps = stats.kaplan_meier(*zip(*runs, strict=True))
    shares = [1.0, *(one.waiting for one in steps)]
    assert all(0 <= later < earlier for earlier, later in itertools.pairwise(shares))


@settings(deadline=None)  # scipy is imported by the first example
@given(RUNS, st.integers(0, 60))
def test_the_bound_lies_above_the_estimate(runs, at):
    times, seen = zip(*runs, strict=True)
    past = [one.waiting for one in stats.kaplan_meier(times, seen) if one.seconds <= at]
    assert min([1.0, *past]) <= stats.waiting_upper_bound(times, seen, at) + 1e-9 <= 1 + 1e-8


@given(RUNS)
def test_without_censoring_the_estimate_is_a_plain_share(runs):
    times = [time for time, _ in runs]
    for one in stats.kaplan_meier(times, [True] * len(times)):
        assert one.waiting == pytest.approx(sum(time > one.seconds for time in times) / len(times))
