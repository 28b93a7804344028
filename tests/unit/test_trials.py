"""Playing a scenario again is one more trial; what many of them prove is arithmetic, shown here."""

from __future__ import annotations

import pytest

from holdfast.model.scenario import Repeat
from holdfast.model.verdict import State
from holdfast.testing import a_report, a_verdict
from holdfast.trials import Series, answer_of, listed, rounded_up, series_text

PASS, FAIL, UNKNOWN, LEFT = State.PASS, State.FAIL, State.UNKNOWN, State.NOT_RESTORED


def a_series(*states, times=None, claim=None, **changes):
    """Trials that ended so, from the first one on."""
    reports = {
        number: a_report((a_verdict(state),), run=f"run-{number}", state=state)
        for number, state in enumerate(states, 1)
    }
    repeat = Repeat(times=times or len(states), fails_at_most=claim)
    return Series(name="series-1", scenario="engine-kill", seed=7, repeat=repeat, reports=reports, **changes)


def clean(played, claim=None, **changes):
    return a_series(*[PASS] * played, claim=claim, **changes)


@pytest.mark.parametrize(
    ("times", "below"), [(1, 0.95), (10, 0.26), (29, 0.10), (59, 0.05), (299, 0.01), (1000, 0.003)]
)
def test_clean_trials_bound_the_chance_of_a_failure(times, below):
    # With a chance p of failing, n trials are all clean with probability (1 - p)^n. That is 5 % at p = 1 - 0.05^(1/n):
    # n = 10: 1 - 0.05^0.1 = 0.2589; n = 29: 0.0981; n = 59: 0.0495.
    series = clean(times)
    assert series.upper == pytest.approx(1 - 0.05 ** (1 / times))
    assert rounded_up(series.upper) == below
    assert series.state is PASS


def test_the_sentence_says_what_was_counted_and_what_follows():
    assert clean(10).sentence == "10 of 10 trials passed; the chance of a failure is below 26% (95%)."
    # 1 of 10 failed: P(Binomial(10, p) <= 1) = 5 % at p = 0.3942.
    assert a_series(FAIL, *[PASS] * 9).sentence == (
        "9 of 10 trials passed, 1 failed; the chance of a failure is below 40% (95%)."
    )
    assert clean(9, times=10).sentence == (
        "9 of 10 trials passed; the chance of a failure is below 40% (95%), counting 1 that gave no proof as failed."
    )


def test_what_is_rounded_never_claims_too_much():
    assert [rounded_up(share) for share in (0.2589, 0.05, 0.0500001, 0.01, 0.002991, 1.0, 0.999)] == [
        0.26,
        0.05,
        0.06,
        0.01,
        0.003,
        1.0,
        1.0,
    ]


@pytest.mark.parametrize("worst", list(State))
def test_without_a_claim_the_series_is_its_worst_trial(worst):
    assert a_series(PASS, worst, PASS).state is worst


def test_a_trial_that_was_never_played_is_missing_and_never_passed():
    assert clean(9, times=10).state is UNKNOWN
    assert clean(9, times=10).missing == (10,)
    assert a_series(times=3).state is UNKNOWN
    assert a_series(FAIL, times=3).state is FAIL
    # 46 trials with one bad are enough for 10 %, and yet: a series that was cut short proves nothing.
    assert clean(45, claim=0.1, times=46).state is UNKNOWN


def test_what_left_a_fault_behind_ends_the_series():
    assert not a_series(PASS, FAIL, times=5).over
    assert a_series(PASS, LEFT, times=5).over
    assert a_series(PASS, LEFT, times=5, claim=0.5).state is LEFT
    assert a_series(PASS, times=5, broken=True).over
    assert a_series(PASS, times=5, broken=True).state is LEFT
    assert clean(5).over


@pytest.mark.parametrize(
    ("states", "claim", "state"),
    [
        # 29 clean: at most 9.8 %. 28 clean: at most 10.1 %.
        ([PASS] * 29, 0.10, PASS),
        ([PASS] * 28, 0.10, UNKNOWN),
        # 1 bad of 46: at most 9.9 %; of 45: at most 10.1 %. Failed or undecided, it counts as failed.
        ([PASS] * 45 + [FAIL], 0.10, PASS),
        ([PASS] * 45 + [UNKNOWN], 0.10, PASS),
        ([PASS] * 44 + [FAIL], 0.10, UNKNOWN),
        # 4 failed of 10: at least 15 %. 3 of 10: at least 8.7 %.
        ([PASS] * 6 + [FAIL] * 4, 0.10, FAIL),
        ([PASS] * 7 + [FAIL] * 3, 0.10, UNKNOWN),
        # What is undecided disproves nothing.
        ([UNKNOWN] * 10, 0.10, UNKNOWN),
        ([PASS] * 6 + [UNKNOWN] * 4, 0.10, UNKNOWN),
    ],
)
def test_a_claim_is_proved_disproved_or_undecided(states, claim, state):
    assert a_series(*states, claim=claim).state is state


def test_an_undecided_claim_says_how_many_clean_trials_would_prove_it():
    series = a_series(*[PASS] * 29, FAIL, claim=0.10)
    # 1 bad of 46 is enough, 30 were played.
    assert (series.state, series.more) == (UNKNOWN, 16)
    assert series.sentence.endswith("At most 10% may fail. Too few to decide: 16 more clean trials would prove it.")


def test_a_disproved_claim_says_by_how_much():
    # 4 of 10: P(Binomial(10, p) >= 4) = 5 % at p = 0.150.
    assert a_series(*[FAIL] * 4, *[PASS] * 6, claim=0.1).sentence.endswith(
        "At most 10% may fail, and at least 15% truly do."
    )


def test_more_certainty_needs_more_trials():
    # 1 - 0.01^(1/29) = 0.147; ln(0.01) / ln(0.9) = 43.7
    assert clean(29, claim=0.1, alpha=0.01).state is UNKNOWN
    assert clean(44, claim=0.1, alpha=0.01).state is PASS


def test_one_question_has_the_answer_of_the_worst_trial_or_of_the_claim():
    assert answer_of(a_series(PASS, UNKNOWN, FAIL, FAIL), {1: PASS, 2: UNKNOWN, 3: FAIL, 4: FAIL}) == (FAIL, 3)
    assert answer_of(clean(2, times=3), {1: PASS, 2: PASS}) == (UNKNOWN, None)
    claimed = a_series(*[PASS] * 45, FAIL, claim=0.1)
    assert answer_of(claimed, dict.fromkeys(range(1, 46), PASS) | {46: FAIL}) == (PASS, None)


def test_a_series_has_no_trial_beyond_its_last():
    with pytest.raises(ValueError, match="no trial 3"):
        a_series(PASS, PASS, PASS, times=2)


def test_the_series_for_machines_names_every_trial():
    told = a_series(PASS, FAIL, times=3, ended="SIGINT ended the series").to_dict()
    assert (told["schema"], told["verdict"], told["times"], told["ended"]) == (
        "holdfast/series/v1",
        "FAIL",
        3,
        "SIGINT ended the series",
    )
    assert told["counts"] == {"PASS": 1, "UNKNOWN": 0, "FAIL": 1, "NOT_RESTORED": 0, "missing": 1}
    assert told["trials"] == [
        {"trial": 1, "seed": 8, "run": "run-1", "verdict": "PASS"},
        {"trial": 2, "seed": 9, "run": "run-2", "verdict": "FAIL"},
    ]


def test_the_series_for_people_names_the_trials_that_were_not_good():
    series = a_series(PASS, FAIL, FAIL, FAIL, UNKNOWN, times=8, ended="SIGINT ended the series")
    assert series_text(series).splitlines()[1:] == [
        "             FAIL: trial 2 to 4",
        "             UNKNOWN: trial 5",
        "             never played: trial 6 to 8",
        "             SIGINT ended the series",
    ]
    assert series_text(clean(10)).startswith("PASS         engine-kill: 10 of 10 trials passed; ")


def test_numbers_are_listed_as_people_write_them():
    assert listed([1, 2, 3, 5, 9, 10]) == "1 to 3, 5, 9 to 10"
    assert listed([]) == ""
