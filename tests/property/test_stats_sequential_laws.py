"""Laws of the early stop: good events speak for "good", bad ones for "bad", and never both are proved."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import stats

LIMITS = st.sampled_from([0.5, 0.2, 0.05, 0.01, 0.001, 0.0001])


@st.composite
def counts(draw):
    total = draw(st.integers(0, 50_000))
    return draw(st.integers(0, total)), total


@given(counts(), LIMITS)
def test_a_good_event_never_weakens_good_nor_strengthens_bad(seen, limit):
    bad, total = seen
    for ratios, sign in ((stats.GOOD_RATIOS, 1), (stats.bad_ratios(limit), -1)):
        before, after = (stats.log_e(bad, n, limit, ratios) for n in (total, total + 1))
        assert sign * (after - before) > -1e-9 * max(1, abs(before))


@given(counts(), LIMITS)
def test_a_bad_event_never_weakens_bad_nor_strengthens_good(seen, limit):
    bad, total = seen
    for ratios, sign in ((stats.GOOD_RATIOS, -1), (stats.bad_ratios(limit), 1)):
        before, after = (stats.log_e(bad + more, total + more, limit, ratios) for more in (0, 1))
        assert sign * (after - before) > -1e-9 * max(1, abs(before))


@given(counts(), LIMITS, st.floats(0.001, 0.5))
def test_no_count_proves_both_sides(seen, limit, alpha):
    # The likelihood has one peak, so only alternatives on one side of the limit can beat it.
    enough = -math.log(alpha)
    good, bad = (stats.log_e(*seen, limit, ratios) for ratios in (stats.GOOD_RATIOS, stats.bad_ratios(limit)))
    assert not (good >= enough and bad >= enough)


@settings(deadline=None)  # scipy is imported by the first example
@given(counts(), LIMITS)
def test_what_the_early_stop_proves_the_planned_test_proves_too(seen, limit):
    answer = stats.decide(*seen, limit)
    if answer == "good":
        assert stats.upper_bound(*seen) <= limit
    if answer == "bad":
        assert stats.lower_bound(*seen) > limit


@given(counts(), LIMITS)
def test_a_stricter_level_proves_no_more(seen, limit):
    strict = stats.decide(*seen, limit, 0.01)
    assert strict is None or strict == stats.decide(*seen, limit, 0.05)


@given(LIMITS, st.integers(1, 40))
def test_the_expected_evidence_never_grows_at_the_limit(limit, total):
    # E is a martingale at the limit: its mean over all outcomes of `total` events is 1.
    for ratios in (stats.GOOD_RATIOS, stats.bad_ratios(limit)):
        mean = math.fsum(
            math.comb(total, bad)
            * limit**bad
            * (1 - limit) ** (total - bad)
            * math.exp(stats.log_e(bad, total, limit, ratios))
            for bad in range(total + 1)
        )
        assert math.isclose(mean, 1, rel_tol=1e-9)


@given(st.lists(st.booleans(), min_size=1, max_size=200), LIMITS)
def test_a_path_ends_where_one_look_at_its_counts_does(outcomes, limit):
    path = stats.log_e_path(np.array(outcomes), limit, stats.GOOD_RATIOS)
    look = stats.log_e(sum(outcomes), len(outcomes), limit, stats.GOOD_RATIOS)
    assert math.isclose(path[-1], look, rel_tol=1e-9, abs_tol=1e-9)
