"""Two clocks are brought together by round trips, with a bound that holds whatever the network does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.load.offset import Offset, RoundTrip, offset_of

DELAYS = st.tuples(st.floats(0, 0.5), st.floats(0, 0.5))


def trip(at, there, back, offset):
    return RoundTrip(asked=at, there=at + there + offset, heard=at + there + back)


def test_a_question_that_took_10_ms_is_known_to_5():
    # Asked at 100 s, read there at 107.004, heard at 100.010: the offset lies between 6.994 and 7.004 s.
    found = offset_of([RoundTrip(asked=100.0, there=107.004, heard=100.010)])
    assert found.seconds == pytest.approx(6.999)
    assert found.uncertainty == pytest.approx(0.005)


def test_several_questions_bound_it_together():
    # Slow on the way there bounds it from one side, slow on the way back from the other.
    found = offset_of([trip(0.0, 0.2, 0.001, 7.0), trip(1.0, 0.001, 0.3, 7.0)])
    assert found.seconds == pytest.approx(7.0, abs=0.001)
    assert found.uncertainty == pytest.approx(0.001)


@given(st.lists(DELAYS, min_size=1, max_size=8), st.floats(-1e6, 1e6))
def test_the_true_offset_is_never_further_than_said(delays, offset):
    found = offset_of([trip(number, *delay, offset) for number, delay in enumerate(delays)])
    assert abs(found.seconds - offset) <= found.uncertainty + 1e-6


def test_a_clock_that_was_set_between_questions_leaves_the_quickest():
    found = offset_of([trip(0.0, 0.2, 0.2, 7.0), trip(1.0, 0.001, 0.001, 9.0)])
    assert found.seconds == pytest.approx(9.0)
    assert found.uncertainty == pytest.approx(0.001)


def test_there_and_back_is_where_one_began():
    assert Offset(7.0, 0.1).ours(Offset(7.0, 0.1).theirs(42.0)) == 42.0


@pytest.mark.parametrize("trips", [[], [RoundTrip(asked=2.0, there=0.0, heard=1.0)]])
def test_without_a_round_trip_nothing_is_known(trips):
    with pytest.raises(ValueError, match="round trips"):
        offset_of(trips)
