"""A schedule is known before the run: seeded, absolute, and with the statistics it claims."""

from __future__ import annotations

import statistics
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.load import (
    LengthPoint,
    LoadProfile,
    ProfileError,
    TraceRow,
    describe,
    mean_rate,
    pace,
    schedule,
    shard,
)
from holdfast.plan import make_plan
from holdfast.testing import a_profile, a_scenario

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


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(), length=st.floats(0.1, 20), arrivals=st.sampled_from(["constant", "poisson"]))
def test_the_same_seed_gives_the_same_schedule_in_order_and_within_its_length(seed, length, arrivals):
    chosen = profile(arrivals=arrivals)
    first = schedule(chosen, seed=seed, length=length)
    assert first == schedule(chosen, seed=seed, length=length)
    dues = [arrival.due for arrival in first]
    assert dues == sorted(dues)
    assert all(0 <= due < length for due in dues)


@settings(max_examples=50, deadline=None)
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
    replayed = schedule(profile(arrivals="trace", trace="x.csv", speed=2.0), seed=1, length=2.0, trace=rows)
    # At twice the speed 3.9 s becomes 1.95 s; 4.0 s becomes 2.0 s, which is not before the end. No answer has 0 tokens.
    assert [each.due for each in replayed] == [0.0, 0.5, 1.95]
    assert {(each.prompt_tokens, each.answer_tokens) for each in replayed} == {(9, 1)}
    assert replayed.notes == ()


def test_requests_of_one_coarse_stamp_are_spread_inside_it_and_the_record_can_say_so():
    rows = [
        TraceRow(offset=offset, prompt_tokens=prompt, answer_tokens=1, width=3.0)
        for offset, count in ((0.0, 200), (3.0, 1), (6.0, 200))
        for prompt in range(1, count + 1)
    ]
    replay = profile(arrivals="trace", trace="x.jsonl")
    spread = schedule(replay, seed=1, length=60.0, trace=rows)
    dues = list(spread.dues)
    assert dues == sorted(dues)
    assert [sum(low <= due < low + 3 for due in dues) for low in (0, 3, 6)] == [200, 1, 200]
    # Uniform inside the bin: the mean of 200 has a standard error of 3 / sqrt(12 * 200) = 0.061.
    assert statistics.mean(dues[:200]) == pytest.approx(1.5, abs=4 * 0.061)
    # Rows keep their order, and the same seed spreads them the same way.
    assert [each.prompt_tokens for each in spread[:200]] == list(range(1, 201))
    assert schedule(replay, seed=1, length=60.0, trace=rows).dues == spread.dues
    assert schedule(replay, seed=2, length=60.0, trace=rows).dues != spread.dues
    assert spread.notes == ("the trace's stamps stand for up to 3s each: requests are spread inside it by the seed",)


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
        {"shape": "hill"},
        {"shape": "ramp to=0 over=9s"},
        {"tenants": "gold:0"},
        {"tenants": "gold:"},
        {"tenants": "gold:1e308, free:1e308"},
        {"cache": "maybe"},
        {"turns": 0},
        {"think": -1.0},
        {"trace_bin": float("nan")},
        {"prefix_tokens": -1},
    ],
)
def test_a_profile_from_which_no_schedule_follows_cannot_be_made(wrong):
    with pytest.raises(ValueError, match=r"must|needs|no process|no shape|offer nothing|above zero"):
        profile(**wrong)


@pytest.mark.parametrize(
    ("chosen", "field", "what"),
    [
        ({"trace": "x.csv"}, "trace", "a trace is named, but arrivals are poisson"),
        ({"arrivals": "trace", "trace": "x.csv", "shape": "step to=2 at=9s"}, "shape", "does not go with a trace"),
        ({"arrivals": "trace", "trace": "x.csv", "turns": 3}, "turns", "does not go with a trace"),
        ({"prefix_groups": 3}, "prefix_groups", "groups share nothing"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_with_the_one_to_look_at(chosen, field, what):
    with pytest.raises(ProfileError, match=what) as caught:
        profile(**chosen)
    assert caught.value.field == field


def test_a_profile_describes_itself_in_one_sentence():
    assert describe(profile()) == (
        "chat: poisson, 12/s, prompts of about 250 and answers of about 50 tokens "
        "(lognormal, sigma 0.6), at most 512 in flight, each given up after 30s, model sim."
    )
    assert "replays a.csv from its second 60 at 2 times its speed" in describe(
        profile(arrivals="trace", trace="a.csv", trace_start=60.0, speed=2.0)
    )
    everything = profile(
        arrivals="gamma cv=2",
        shape="ramp over=60s",
        prefix_tokens=500,
        prefix_groups=3,
        turns=4,
        think=10.0,
        cache="bust",
        tenants="gold:3, free:1",
        models="a:0.8, b:0.2",
        prompts="q.jsonl",
        lengths="l.csv",
    )
    assert describe(everything) == (
        "chat: gamma cv=2, 12/s times ramp over=60s, lengths as in l.csv, questions from q.jsonl, 3 system prompts of "
        "500 tokens, sessions of 4 turns, 10s apart, no prefix shared, tenants gold:3, free:1, at most 512 in flight, "
        "each given up after 30s, models a:0.8, b:0.2."
    )


def test_the_mean_rate_is_that_of_the_shape_and_a_trace_has_none():
    # 12/s times the mean of a ramp from 0 to 1 over 60 s, then 1: 30 / 60 and (30 + 60) / 120.
    ramp = profile(shape="ramp over=60s")
    assert (mean_rate(ramp, 60.0), mean_rate(ramp, 120.0)) == (6.0, 9.0)
    assert mean_rate(profile(), 60.0) == 12.0
    assert mean_rate(profile(arrivals="trace", trace="x.csv"), 60.0) is None
    assert pace(ramp) == "poisson, 12/s times ramp over=60s"


def test_the_plan_counts_the_requests_that_a_shape_brings_in_each_phase():
    load = a_profile(shape="step to=3 at=30s")
    scenario = replace(a_scenario(chaos=None), load=load)
    planned = make_plan(scenario, lambda length: schedule(load, seed=scenario.seed, length=length).dues)
    # Constant arrivals at 12/s for 10 s of warm-up and 20 s of baseline, then at 36/s for 20 s and 25 s.
    assert [phase.requests for phase in planned.phases] == [120, 240, 720, 900]


# Many workers, one schedule.


@pytest.mark.parametrize("of", [1, 2, 8])
@given(seed=st.integers(0, 99), length=st.floats(0, 20))
@settings(max_examples=10, deadline=None)
def test_the_shards_together_are_the_schedule_each_arrival_once(of, seed, length):
    whole = schedule(profile(turns=3), seed=seed, length=length)
    shards = [shard(whole, worker, of) for worker in range(of)]
    together = sorted((each for one in shards for each in one), key=lambda each: each.number)
    assert together == list(whole)
    assert [each.number for each in whole] == list(range(len(whole)))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert sorted(due for one in shards for due in one.dues) == list(whole.dues)


@pytest.mark.parametrize(("worker", "of"), [(2, 2), (-1, 2), (0, 0)])
def test_there_is_no_such_worker(worker, of):
    with pytest.raises(ValueError, match="they count from 0"):
        shard(schedule(profile(), seed=1, length=1), worker, of)


def test_a_schedule_is_a_sequence_of_its_arrivals():
    arrivals = schedule(profile(), seed=1, length=5)
    assert len(arrivals) == len(list(arrivals)) == len(arrivals.dues)
    assert arrivals[-1] == list(arrivals)[-1]
    assert list(arrivals[2:5]) == list(arrivals)[2:5]
    assert arrivals == tuple(arrivals)
    with pytest.raises(IndexError):
        arrivals[len(arrivals)]


def test_a_million_arrivals_fit_into_memory():
    import tracemalloc

    tracemalloc.start()
    try:
        arrivals = schedule(profile(rate=1000.0, turns=5, think=1.0, tenants="a, b"), seed=1, length=20)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Four columns of 8 bytes, which grow by an eighth at a time; the limit is 200 bytes an arrival.
    assert held / len(arrivals) < 60


# What requests have in common.


def test_sessions_are_dealt_over_the_arrivals_and_change_none_of_them():
    alone, talking = (schedule(profile(turns=turns, think=2.0), seed=1, length=300) for turns in (1, 4))
    assert talking.dues == alone.dues
    sessions: dict[str, list] = {}
    for each in talking:
        sessions.setdefault(each.session, []).append(each)
    for turns in sessions.values():
        assert [each.turn for each in turns] == list(range(len(turns)))
        assert all(later.due - earlier.due >= 2.0 for earlier, later in pairwise(turns))
    # All but the sessions of the last seconds have their four turns, and nobody waits much longer than he thinks.
    done = [turns for turns in sessions.values() if turns[0].due < 250]
    assert {len(turns) for turns in done} == {4}
    waits = [later.due - earlier.due for turns in done for earlier, later in pairwise(turns)]
    assert statistics.mean(waits) < 2.6


def test_a_later_turn_begins_with_everything_that_was_said_before():
    arrivals = schedule(profile(turns=3, think=1.0, prefix_tokens=100, prefix_groups=2), seed=1, length=60)
    third = next(each for each in arrivals if each.turn == 2)
    first, second = (
        next(each for each in arrivals if (each.session, each.turn) == (third.session, turn)) for turn in (0, 1)
    )
    assert [part.role for part in third.parts] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert third.parts[: len(second.parts)] == second.parts
    assert second.parts[: len(first.parts)] == first.parts
    # What the answers were asked to be long is what the history holds; a prompt is as long as all of its parts.
    assert third.parts[2].tokens == first.answer_tokens
    assert third.prompt_tokens == second.prompt_tokens + second.answer_tokens + third.parts[-1].tokens


def test_groups_share_their_system_prompt_and_no_more():
    arrivals = schedule(profile(rate=100.0, prefix_tokens=500, prefix_groups=4), seed=1, length=40)
    groups = [each.parts[0].key for each in arrivals]
    # 4,000 draws of four: 1,000 each, with a standard deviation of sqrt(4000 * 1/4 * 3/4) = 27.
    assert [groups.count(group) for group in sorted(set(groups))] == [pytest.approx(len(arrivals) / 4, abs=4 * 27)] * 4
    assert {each.parts[0].tokens for each in arrivals} == {500}
    assert len({each.parts[1].key for each in arrivals}) == len(arrivals)


def test_with_cache_bust_no_two_prompts_begin_alike():
    shared = {"prefix_tokens": 500, "turns": 3}
    firsts = [each.parts[0].key for each in schedule(profile(cache="bust", **shared), seed=1, length=30)]
    assert len(set(firsts)) == len(firsts)
    # The requests are else the same, one word longer.
    for bust, share in zip(
        schedule(profile(cache="bust", **shared), seed=1, length=30),
        schedule(profile(**shared), seed=1, length=30),
        strict=True,
    ):
        assert bust.parts[1:] == share.parts
    assert schedule(profile(cache="bust"), seed=1, length=30) == schedule(profile(), seed=1, length=30)


def test_tenants_and_models_come_by_their_weights_and_stay_with_a_session():
    mixed = profile(rate=100.0, tenants="gold:3, free:1", models="big:0.8, org/small:7b:0.2", turns=3, think=0.1)
    arrivals = list(schedule(mixed, seed=1, length=60))
    starts = [each for each in arrivals if each.turn == 0]
    # Some 2,000 sessions: the share of gold has a standard error of sqrt(0.75 * 0.25 / 2000) = 0.01.
    assert sum(each.tenant == "gold" for each in starts) / len(starts) == pytest.approx(0.75, abs=4 * 0.01)
    assert sum(each.model == "big" for each in starts) / len(starts) == pytest.approx(0.8, abs=4 * 0.01)
    assert {each.model for each in arrivals} == {"big", "org/small:7b"}
    assert len({(each.session, each.tenant, each.model) for each in arrivals}) == len(starts)


def test_without_a_mix_there_is_one_model_and_no_tenant():
    assert {(each.tenant, each.model, each.session) for each in schedule(profile(), seed=1, length=5)} == {
        ("", "sim", "")
    }


def test_lengths_are_drawn_from_measured_quantiles():
    points = [
        LengthPoint(share=share, prompt_tokens=prompt, answer_tokens=answer)
        for share, prompt, answer in ((0.0, 20, 12), (0.5, 1020, 129), (0.9, 2734, 424), (1.0, 6200, 950))
    ]
    measured = schedule(profile(rate=100.0, lengths="l.csv"), seed=1, length=100, points=points)
    prompts = sorted(each.prompt_tokens for each in measured)
    answers = sorted(each.answer_tokens for each in measured)
    # Of 10,000 draws the median's share has a standard error of 0.005, the ninth decile's of 0.003.
    assert prompts[len(prompts) // 2] == pytest.approx(1020, rel=0.08)
    assert prompts[len(prompts) * 9 // 10] == pytest.approx(2734, rel=0.03)
    assert answers[len(answers) // 2] == pytest.approx(129, rel=0.06)
    assert (prompts[0] >= 20, prompts[-1] <= 6200) == (True, True)


def test_a_profile_whose_files_were_not_read_is_refused_rather_than_filled_with_something_else():
    for chosen in ({"lengths": "l.csv"}, {"prompts": "q.jsonl"}):
        with pytest.raises(ValueError, match="nothing was read"):
            schedule(profile(**chosen), seed=1, length=5)


def test_questions_are_asked_alike_often_and_with_their_own_lengths():
    asked = schedule(profile(rate=100.0, prompts="q.jsonl"), seed=1, length=30, questions=[5, 7, 9])
    counts = [sum(each.question == index for each in asked) for index in range(3)]
    # 3,000 draws of three: 1,000 each, with a standard deviation of sqrt(3000 * 1/3 * 2/3) = 26.
    assert counts == [pytest.approx(len(asked) / 3, abs=4 * 26)] * 3
    assert {(each.question, each.prompt_tokens) for each in asked} == {(0, 5), (1, 7), (2, 9)}


def test_rows_of_a_trace_share_their_blocks_or_their_session():
    rows = [
        TraceRow(offset=0.0, prompt_tokens=1100, answer_tokens=5, blocks=(0, 1, 2)),
        TraceRow(offset=1.0, prompt_tokens=600, answer_tokens=5, blocks=(0, 7)),
        TraceRow(offset=2.0, prompt_tokens=30, answer_tokens=5, session="s1"),
        TraceRow(offset=3.0, prompt_tokens=90, answer_tokens=5, session="s1"),
        TraceRow(offset=4.0, prompt_tokens=8, answer_tokens=5),
    ]
    arrivals = schedule(profile(arrivals="trace", trace="x"), seed=1, length=9, trace=rows)
    assert [[(part.key, part.tokens) for part in each.parts] for each in arrivals] == [
        # 1100 tokens are two whole blocks of 512 and 76 more.
        [("b0", 512), ("b1", 512), ("b2", 76)],
        [("b0", 512), ("b7", 88)],
        [("ss1", 30)],
        [("ss1", 90)],
        [("4", 8)],
    ]
    assert [each.session for each in arrivals] == ["", "", "s1", "s1", ""]


def test_no_length_is_longer_than_any_model_could_take():
    wild = schedule(profile(spread=50.0), seed=1, length=20)
    assert {min(each.prompt_tokens for each in wild), max(each.prompt_tokens for each in wild)} == {1, 10_000_000}


def test_hardly_any_load_at_all_still_has_a_schedule():
    rare = profile(rate=1e-9, shape="diurnal low=0 period=1s")
    assert list(schedule(rare, seed=1, length=60)) == []
