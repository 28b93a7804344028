"""A schedule is known before the run: seeded, absolute, and with the statistics it claims."""

from __future__ import annotations

import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.load import Arrival, LoadProfile, TraceRow, describe, schedule

DEFAULTS = {
    "name": "chat",
    "arrivals": "poisson",
    "rate": 12.0,
    "prompt_tokens": 250,
    "answer_tokens": 50,
    "spread": 0.6,
    "trace": None,
    "speed": 1.0,
    "max_in_flight": 512,
    "timeout": 30.0,
    "model": "sim",
}


def profile(**changes) -> LoadProfile:
    return LoadProfile(**DEFAULTS | changes)


def test_constant_arrivals_stand_on_a_grid_without_drift():
    dues = [arrival.due for arrival in schedule(profile(arrivals="constant", rate=3.0), seed=1, length=3600)]
    # 3/s for an hour: 10,800 arrivals; the last is 10,799 / 3 = 3599.666667 s after the first.
    assert (len(dues), dues[0], dues[-1]) == (10_800, 0.0, 3599.666667)


def test_poisson_arrivals_have_the_rate_and_the_irregularity_of_poisson():
    dues = [arrival.due for arrival in schedule(profile(rate=20.0), seed=1, length=500)]
    gaps = [later - earlier for earlier, later in pairwise(dues)]
    # 10,000 expected, sigma 100; the coefficient of variation of an exponential is 1, its error 1 / sqrt(n) = 0.01.
    assert len(dues) == pytest.approx(10_000, abs=400)
    assert statistics.stdev(gaps) / statistics.mean(gaps) == pytest.approx(1, abs=0.04)


def test_lengths_are_lognormal_around_their_medians():
    prompts = [arrival.prompt_tokens for arrival in schedule(profile(rate=50.0), seed=3, length=200)]
    shares = statistics.quantiles(prompts, n=100)
    # One sigma above the median of a lognormal with sigma 0.6 is 250 * exp(0.6) = 455.5, at the 84th percentile.
    assert statistics.median(prompts) == pytest.approx(250, rel=0.03)
    assert shares[83] == pytest.approx(455.5, rel=0.04)


def test_without_spread_every_length_is_the_median():
    arrivals = schedule(profile(spread=0.0), seed=1, length=10)
    assert {(each.prompt_tokens, each.answer_tokens) for each in arrivals} == {(250, 50)}


@given(seed=st.integers(), length=st.floats(0.1, 20), arrivals=st.sampled_from(["constant", "poisson"]))
def test_the_same_seed_gives_the_same_schedule_in_order_and_within_its_length(seed, length, arrivals):
    chosen = profile(arrivals=arrivals)
    first = schedule(chosen, seed=seed, length=length)
    assert repr(first) == repr(schedule(chosen, seed=seed, length=length))
    dues = [arrival.due for arrival in first]
    assert dues == sorted(dues)
    assert all(0 <= due <= length for due in dues)


@given(seed=st.integers(0, 1000), length=st.floats(1, 10))
def test_a_longer_run_begins_as_the_shorter_one_did(seed, length):
    short = schedule(profile(), seed=seed, length=length)
    assert schedule(profile(), seed=seed, length=length + 5)[: len(short)] == short


def test_changing_the_lengths_does_not_move_the_arrivals():
    one, other = (schedule(profile(spread=spread), seed=5, length=20) for spread in (0.0, 1.0))
    assert [each.due for each in one] == [each.due for each in other]


def test_another_seed_is_another_schedule():
    assert schedule(profile(), seed=1, length=20) != schedule(profile(), seed=2, length=20)


def test_a_trace_is_replayed_at_its_speed_and_cut_at_the_length():
    rows = [TraceRow(offset=offset, prompt_tokens=9, answer_tokens=0) for offset in (0.0, 1.0, 3.9, 4.0)]
    replay = profile(arrivals="trace", trace="x.csv", speed=2.0)
    # At twice the speed 3.9 s becomes 1.95 s; 4.0 s becomes 2.0 s, which is not before the end. No answer has 0 tokens.
    assert schedule(replay, seed=1, length=2.0, trace=rows) == (
        Arrival(due=0.0, prompt_tokens=9, answer_tokens=1),
        Arrival(due=0.5, prompt_tokens=9, answer_tokens=1),
        Arrival(due=1.95, prompt_tokens=9, answer_tokens=1),
    )


def test_a_trace_without_rows_is_refused_rather_than_an_empty_load():
    with pytest.raises(ValueError, match="no rows"):
        schedule(profile(arrivals="trace", trace="x.csv"), seed=1, length=2.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0.0},
        {"rate": float("nan")},
        {"speed": -1.0},
        {"spread": -0.1},
        {"timeout": float("inf")},
        {"max_in_flight": 0},
        {"arrivals": "burst"},
        {"arrivals": "trace"},
    ],
)
def test_a_profile_from_which_no_schedule_follows_cannot_be_made(wrong):
    with pytest.raises(ValueError, match=r"must|needs"):
        profile(**wrong)


def test_a_profile_describes_itself_in_one_sentence():
    assert describe(profile()) == (
        "chat: Poisson arrivals at 12/s with prompts of about 250 and answers of about 50 tokens "
        "(lognormal, sigma 0.6), at most 512 in flight, each given up after 30s, model sim."
    )
    assert "replays a.csv from its second 60 at 2 times its speed" in describe(
        profile(arrivals="trace", trace="a.csv", trace_start=60.0, speed=2.0)
    )
