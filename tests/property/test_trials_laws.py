"""Laws of a series, whatever its trials were: a failing trial helps nobody, and order does not matter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.scenario import Repeat
from holdfast.model.verdict import State
from holdfast.testing import a_report, a_verdict
from holdfast.trials import Series

REPORTS = {state: a_report((a_verdict(state),), state=state) for state in State}
STATES = st.lists(st.sampled_from([*[State.PASS] * 12, *State]), min_size=1, max_size=80)
CLAIMS = st.none() | st.floats(min_value=0.005, max_value=0.9)


def a_series(states, claim, times=0):
    reports = {number: REPORTS[state] for number, state in enumerate(states, 1)}
    repeat = Repeat(times=max(times, len(states)), fails_at_most=claim)
    return Series(name="series-1", scenario="s", repeat=repeat, reports=reports)


@given(states=STATES, claim=CLAIMS)
def test_one_more_failing_trial_never_improves_the_answer(states, claim):
    before, after = a_series(states, claim).state, a_series([*states, State.FAIL], claim).state
    assert after.severity >= before.severity


@given(states=STATES, claim=CLAIMS, data=st.data())
def test_a_trial_that_fails_instead_never_improves_the_answer(states, claim, data):
    place = data.draw(st.integers(0, len(states) - 1))
    worse = [*states[:place], max(states[place], State.FAIL, key=lambda one: one.severity), *states[place + 1 :]]
    assert a_series(worse, claim).state.severity >= a_series(states, claim).state.severity


@given(states=STATES, claim=CLAIMS, data=st.data())
def test_the_order_of_trials_does_not_matter(states, claim, data):
    other = data.draw(st.permutations(states))
    one, two = a_series(states, claim), a_series(other, claim)
    assert (one.state, one.sentence, one.more) == (two.state, two.sentence, two.more)


@given(states=STATES, claim=CLAIMS, missing=st.integers(1, 20))
def test_a_series_with_a_trial_missing_never_passes(states, claim, missing):
    assert a_series(states, claim, len(states) + missing).state is not State.PASS


@given(states=STATES, claim=CLAIMS)
def test_a_fault_that_may_be_left_is_never_hidden(states, claim):
    assert a_series([*states, State.NOT_RESTORED], claim).state is State.NOT_RESTORED


@given(states=STATES, claim=st.floats(min_value=0.005, max_value=0.9))
def test_the_further_clean_trials_that_an_undecided_claim_names_do_prove_it_and_one_less_does_not(states, claim):
    series = a_series(states, claim)
    if series.more is None or series.more > 2000:
        return
    assert a_series([*states, *[State.PASS] * series.more], claim).state is State.PASS
    assert a_series([*states, *[State.PASS] * (series.more - 1)], claim).state is State.UNKNOWN
