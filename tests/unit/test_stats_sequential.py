"""The early stop against its published numbers, and one look against the whole path."""

from __future__ import annotations

import math

import numpy as np
import pytest

from holdfast import stats


@pytest.mark.parametrize(("bad", "total"), [(0, 3673), (1, 6270), (2, 8407)])
def test_an_objective_of_999_is_proved_at_the_published_count_and_not_one_request_earlier(bad, total):
    assert stats.decide(bad, total, 0.001) == "good"
    assert stats.decide(bad, total - 1, 0.001) is None


def test_a_clean_proof_costs_a_quarter_more_than_a_planned_one():
    # 3673 / 2995 = 1.226
    assert 1.25 * stats.least_clean_events(0.001) >= 3673


def test_evidence_that_just_reaches_one_over_alpha_is_enough():
    for bad, answer in ((0, "good"), (20, "bad")):
        ratios = stats.GOOD_RATIOS if answer == "good" else stats.bad_ratios(0.1)
        evidence = stats.log_e(bad, 20, 0.1, ratios)
        assert -math.log(math.exp(-evidence)) == evidence
        assert stats.decide(bad, 20, 0.1, math.exp(-evidence)) == answer
        assert stats.decide(bad, 20, 0.1, math.exp(-evidence) * (1 - 1e-12)) is None


def test_when_two_requests_tell_as_much_as_one_twice_the_logarithm_is_asked_for():
    # The square root of E must reach 1 / 0.05 = 20.
    enough = next(n for n in range(10_000) if stats.log_e(0, n, 0.001, stats.GOOD_RATIOS) >= 2 * math.log(20))
    assert stats.decide(0, enough, 0.001, effect=2) == "good"
    assert stats.decide(0, enough - 1, 0.001, effect=2) is None


@pytest.mark.parametrize("effect", [0.99, 0.0, -1.0, math.nan])
def test_dependence_never_makes_evidence(effect):
    with pytest.raises(ValueError, match="a design effect is at least 1"):
        stats.decide(0, 10, 0.01, effect=effect)


@pytest.mark.parametrize(("truth", "median"), [(0.2, 10), (0.05, 40), (0.01, 260), (0.005, 825)])
def test_a_broken_service_is_refuted_at_least_as_fast_as_published(truth, median):
    # The published medians are multiples of five; looking after each request is a little faster. 5 % is noise.
    seen = np.random.default_rng(1).random((1000, 30 * round(1 / truth))) < truth
    answers, after = stats.decide_path(seen, 0.001)
    assert np.median(np.where(answers == -1, after, np.inf)) <= 1.05 * median


def test_nothing_seen_is_no_evidence():
    assert stats.log_e(0, 0, 0.001, stats.GOOD_RATIOS) == pytest.approx(0)
    assert stats.log_e(0, 0, 0.001, stats.BAD_RATIOS) == pytest.approx(0)
    assert stats.decide(0, 0, 0.001) is None


def test_one_alternative_alone_is_walds_likelihood_ratio():
    # 3 bad of 100 at a limit of 1 %, against 2 %: 2 ** 3 * (0.98 / 0.99) ** 97 = 8 * 0.3732 = 2.986
    expected = 2**3 * (0.98 / 0.99) ** 97
    assert math.exp(stats.log_e(3, 100, 0.01, (2,))) == pytest.approx(expected)


def test_the_mixture_is_the_mean_of_its_parts():
    parts = [math.exp(stats.log_e(4, 900, 0.01, (ratio,))) for ratio in stats.GOOD_RATIOS]
    assert math.exp(stats.log_e(4, 900, 0.01, stats.GOOD_RATIOS)) == pytest.approx(sum(parts) / len(parts))


def test_many_events_neither_overflow_nor_underflow():
    assert stats.decide(0, 10**9, 0.001) == "good"
    assert stats.decide(10**8, 10**9, 0.001) == "bad"


@pytest.mark.parametrize(("limit", "left"), [(0.001, 8), (0.05, 5), (0.5, 1), (0.9, 1)])
def test_alternatives_beyond_certainty_are_left_out(limit, left):
    # 300 * 0.001 = 0.3 stays; of 5 %, 30 times would be 150 %; of 90 %, halfway to certainty is 95 %.
    ratios = stats.bad_ratios(limit)
    assert len(ratios) == left
    assert all(1 < ratio < 1 / limit for ratio in ratios)
    assert stats.decide(1000, 1000, limit) == "bad"


def test_a_path_tells_the_same_as_each_look():
    seen = np.random.default_rng(7).random(400) < 0.03
    path = stats.log_e_path(seen, 0.01, stats.GOOD_RATIOS)
    looks = [stats.log_e(int(seen[:n].sum()), n, 0.01, stats.GOOD_RATIOS) for n in range(1, 401)]
    assert path == pytest.approx(looks)


def test_one_path_alone_may_be_proved_by_its_last_event():
    clean = np.zeros(3673, dtype=bool)
    answer, after = stats.decide_path(clean, 0.001)
    assert (int(answer), int(after), answer.dtype) == (1, 3673, np.int8)
    answer, after = stats.decide_path(clean[:-1], 0.001)
    assert (int(answer), int(after)) == (0, 3672)


def test_a_path_that_just_reaches_one_over_alpha_is_answered():
    clean = np.zeros(20, dtype=bool)
    evidence = float(stats.log_e_path(clean, 0.1, stats.GOOD_RATIOS)[-1])
    assert -math.log(math.exp(-evidence)) == evidence
    assert int(stats.decide_path(clean, 0.1, math.exp(-evidence))[0]) == 1


def test_the_first_answer_of_a_path_is_that_of_looking_each_time():
    seen = np.random.default_rng(3).random((30, 600)) < np.linspace(0, 0.2, 30)[:, None]
    answers, after = stats.decide_path(seen, 0.01)
    for row, answer, n in zip(seen, answers, after, strict=True):
        looks = [stats.decide(int(row[:k].sum()), k, 0.01) for k in range(1, 601)]
        first = next((k for k, look in enumerate(looks, 1) if look), None)
        assert n == (first or 600)
        assert {1: "good", -1: "bad", 0: None}[int(answer)] == (looks[first - 1] if first else None)
    assert set(answers) == {-1, 0, 1}


@pytest.mark.parametrize("limit", [0.0, 1.0, -1.0, float("nan")])
def test_a_limit_lies_between_zero_and_one(limit):
    with pytest.raises(ValueError, match="a limit must lie between"):
        stats.decide(0, 10, limit)


@pytest.mark.parametrize("ratios", [(), (0.0,), (20.0,)])
def test_each_alternative_is_a_probability(ratios):
    with pytest.raises(ValueError, match="each ratio times the limit"):
        stats.log_e(0, 10, 0.05, ratios)


def test_impossible_counts_and_levels_are_refused():
    with pytest.raises(ValueError, match="cannot be"):
        stats.decide(2, 1, 0.01)
    with pytest.raises(ValueError, match="alpha must lie"):
        stats.decide(0, 1, 0.01, 0.0)
