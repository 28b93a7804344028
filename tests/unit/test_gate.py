"""A gate passes only on proof of everything it expected."""

from __future__ import annotations

from itertools import product

import pytest

from holdfast.attempts import Standing, standing_from
from holdfast.gate import attempts_text, decide
from holdfast.model.verdict import State
from holdfast.testing import a_report, a_verdict


def report(scenario, state=State.PASS):
    return a_report((a_verdict(state),), scenario=scenario, run=f"run-{scenario}")


def state_of(expected, *reports):
    return decide("g", "git:abc", expected, reports).state


def test_all_expected_and_all_passed_is_a_pass():
    assert state_of(["a", "b"], report("a"), report("b")) is State.PASS


@pytest.mark.parametrize(("first", "second"), list(product(State, repeat=2)))
def test_the_decision_is_the_worst_of_its_runs(first, second):
    assert state_of(["a", "b"], report("a", first), report("b", second)) is max(first, second, key=lambda s: s.severity)


def test_a_missing_scenario_is_never_a_pass_and_is_named():
    decision = decide("g", "", ["a", "b"], [report("a")])
    assert (decision.state, decision.missing) == (State.UNKNOWN, ("b",))
    assert state_of(["a", "b"], report("a", State.FAIL)) is State.FAIL


def test_nothing_expected_is_never_a_pass():
    assert state_of([]) is State.UNKNOWN
    assert state_of([], report("a")) is State.UNKNOWN


def test_nothing_ran_is_never_a_pass():
    assert state_of(["a"]) is State.UNKNOWN


def test_two_files_with_one_name_need_two_reports():
    decision = decide("g", "", ["a", "a"], [report("a")])
    assert (decision.state, decision.missing) == (State.UNKNOWN, ("a",))
    assert state_of(["a", "a"], report("a"), report("a")) is State.PASS


def test_a_report_that_nobody_expected_replaces_none():
    assert state_of(["a"], report("b")) is State.UNKNOWN


def test_the_decision_for_machines_names_every_run():
    told = decide("staging", "git:abc", ["a", "b"], [report("a", State.FAIL)]).to_dict()
    assert told == {
        "schema": "holdfast/gate/v1",
        "gate": "staging",
        "subject": "git:abc",
        "verdict": "FAIL",
        "attempts": "unknown",
        "expected": ["a", "b"],
        "missing": ["b"],
        "runs": {"a": {"run": "run-a", "verdict": "FAIL"}},
    }


def standing(scenario, state=State.PASS, **changes):
    kept = {"run": f"run-{scenario}", "own": state, "attempt": 1, **changes}
    return Standing(scenario=scenario, state=state, **kept)


def test_the_decision_for_machines_tells_which_attempt_it_was():
    second = standing(
        "a", State.FAIL, own=State.PASS, attempt=2, earlier=(State.FAIL,), sentence="Attempt 1 ended FAIL."
    )
    told = decide("staging", "git:abc", ["a"], [second]).to_dict()
    assert (told["verdict"], told["attempts"]) == ("FAIL", "counted")
    assert told["runs"]["a"] == {
        "run": "run-a",
        "verdict": "FAIL",
        "own_verdict": "PASS",
        "attempt": 2,
        "earlier": ["FAIL"],
        "sentence": "Attempt 1 ended FAIL.",
    }
    assert standing_from("a", told["runs"]["a"]) == second


def test_the_words_for_people_tell_each_attempt():
    second = standing("a", State.UNKNOWN, own=State.PASS, attempt=2, earlier=(State.UNKNOWN,), sentence="Too little.")
    assert attempts_text(decide("g", "git:abc", ["a", "b"], [second, standing("b")])) == [
        "a: attempt 2, this one: PASS, the others: UNKNOWN; Too little.",
        "b: attempt 1",
    ]


def test_attempts_that_cannot_be_counted_are_said_to_be_unknown():
    decision = decide("g", "", ["a", "b"], [standing("a", attempt=None), standing("b")])
    assert decision.to_dict()["attempts"] == "unknown"
    (line,) = attempts_text(decision)
    assert line.startswith("attempts: unknown")
    assert "--subject" in line


def test_where_nothing_was_played_there_is_no_attempt_to_tell_of():
    assert attempts_text(decide("g", "git:abc", ["a"], [])) == []
