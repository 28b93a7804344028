"""`repeat` in a scenario: how often, and a claim that so many clean trials could prove."""

from __future__ import annotations

import pytest

from examples import quickstart, write_project
from holdfast.errors import SpecError
from holdfast.model.scenario import Repeat
from holdfast.project import load_scenario
from holdfast.schema import scenario_schema


def repeat(root, text):
    return load_scenario(write_project(root, scenario=("seed: 7", f"seed: 7\nrepeat: {text}")), root).repeat


def problem(root, text):
    with pytest.raises(SpecError) as caught:
        repeat(root, text)
    (found,) = caught.value.problems
    return found


def test_a_scenario_is_played_once_unless_it_says_otherwise():
    assert quickstart().repeat == Repeat()
    assert not quickstart().repeat.is_series


@pytest.mark.parametrize(
    ("text", "times", "claim", "series"),
    [
        ("1", 1, None, False),
        ("10", 10, None, True),
        ("1000", 1000, None, True),
        ("{times: 10}", 10, None, True),
        ("{times: 29, fails-at-most: 10%}", 29, 0.1, True),
        # One clean trial: at most 95 %.
        ("{times: 1, fails-at-most: 96%}", 1, 0.96, True),
    ],
)
def test_it_says_how_often_and_may_claim_how_rarely_a_trial_fails(tmp_path, text, times, claim, series):
    found = repeat(tmp_path, text)
    assert (found, found.is_series) == (Repeat(times=times, fails_at_most=claim), series)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("0", "a scenario is repeated 1 to 1000 times", "each time is a whole run"),
        ("{times: 1001}", "a scenario is repeated 1 to 1000 times", "each time is a whole run"),
        ("ten", "expected a mapping, got 'ten'", ""),
        ("true", "expected a mapping, got True", ""),
        ("{times: 2.5}", "expected a whole number, got 2.5", ""),
        ("{fails-at-most: 10%}", "required key 'times' is missing", ""),
        ("{times: 10, fails-atmost: 10%}", "unknown key 'fails-atmost'", "did you mean fails-at-most?"),
        ("{times: 10, fails-at-most: 0.1}", "expected a percentage such as 99.9%, got 0.1 without a unit", ""),
        (
            "{times: 10, fails-at-most: 0%}",
            "no number of trials proves that a failure is impossible",
            "10% takes 29 clean trials",
        ),
        ("{times: 10, fails-at-most: 100%}", "fails-at-most: 100% always holds", "it would prove nothing"),
    ],
)
def test_what_means_nothing_is_a_mistake(tmp_path, text, what, hint):
    found = problem(tmp_path, text)
    assert (found.what, found.hint) == (what, hint)


@pytest.mark.parametrize(
    ("times", "claim", "least"),
    # ln(0.05) / ln(1 - claim), rounded up: 28.4, 58.4, 298.1
    [(28, "10%", 29), (58, "5%", 59), (1, "1%", 299)],
)
def test_a_claim_that_clean_trials_could_not_prove_is_a_problem_that_names_the_least_number(
    tmp_path, times, claim, least
):
    found = problem(tmp_path, f"{{times: {times}, fails-at-most: {claim}}}")
    assert found.what == f"{times} clean trial{'s' * (times > 1)} cannot prove fails-at-most: {claim}"
    assert found.hint == f"times: {least} is the least"
    # "repeat: {times: 28" stands in line 9.
    assert (found.where.file, found.where.line, found.where.column) == ("scenarios/quickstart.yaml", 9, 17)
    assert repeat(tmp_path, f"{{times: {least}, fails-at-most: {claim}}}").times == least


def test_a_claim_that_no_allowed_number_could_prove_is_a_problem_too(tmp_path):
    # ln(0.05) / ln(0.999) = 2994.2
    assert problem(tmp_path, "{times: 1000, fails-at-most: 0.1%}").hint == "it would take 2995: claim less"


def test_more_certainty_takes_more_trials(tmp_path):
    # ln(0.01) / ln(0.9) = 43.7
    text = "{times: 29, fails-at-most: 10%}\nconfidence: 99%"
    assert problem(tmp_path, text).hint == "times: 44 is the least"


def test_editors_know_both_ways_to_write_it():
    ways = scenario_schema()["properties"]["repeat"]["anyOf"]
    assert [way.get("type", way.get("$ref")) for way in ways] == ["integer", "#/$defs/_Repeat"]
