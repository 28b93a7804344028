"""Laws of the bounds: more evidence narrows them, more bad events raise them, the shortcuts agree with them."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from holdfast import stats

TOTALS = st.integers(1, 20_000)
LIMITS = st.sampled_from([0.2, 0.1, 0.05, 0.01, 0.005, 0.001])


@st.composite
def counts(draw):
    total = draw(TOTALS)
    return draw(st.integers(0, total)), total


@given(counts())
def test_the_estimate_lies_between_the_bounds(seen):
    bad, total = seen
    assert 0 <= stats.lower_bound(bad, total) <= bad / total <= stats.upper_bound(bad, total) <= 1


@given(counts())
def test_one_more_bad_event_raises_both_bounds(seen):
    bad, total = seen
    assume(bad < total)
    assert stats.upper_bound(bad + 1, total) >= stats.upper_bound(bad, total)
    assert stats.lower_bound(bad + 1, total) >= stats.lower_bound(bad, total)


@given(counts())
def test_one_more_good_event_lowers_both_bounds(seen):
    bad, total = seen
    assert stats.upper_bound(bad, total + 1) <= stats.upper_bound(bad, total)
    assert stats.lower_bound(bad, total + 1) <= stats.lower_bound(bad, total)


@given(TOTALS, LIMITS)
def test_most_bad_that_passes_is_the_last_count_that_the_bound_lets_pass(total, limit):
    most = stats.most_bad_that_passes(total, limit)
    if most >= 0:
        assert stats.upper_bound(most, total) <= limit
    assert most == total or stats.upper_bound(most + 1, total) > limit


@settings(max_examples=60)
@given(st.integers(0, 20), st.integers(0, 5_000), LIMITS)
def test_events_to_pass_are_enough_and_not_one_too_many(bad, good, limit):
    total = bad + good
    more = stats.events_to_pass(bad, total, limit)
    assert more is not None
    assert stats.upper_bound(bad, total + more) <= limit
    assert more == 0 or stats.upper_bound(bad, total + more - 1) > limit


@given(counts(), LIMITS)
def test_no_count_is_both_proof_and_refutation(seen, limit):
    assert not (stats.upper_bound(*seen) <= limit < stats.lower_bound(*seen))


@given(st.integers(0, 5_000), LIMITS, st.floats(0, 1))
def test_a_chance_is_a_probability(total, limit, truth):
    assert 0 <= stats.chance_to_pass(total, limit, truth) <= 1
