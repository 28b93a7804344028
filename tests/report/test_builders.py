"""The builders in `holdfast.testing`: a story that holds together, and one change at a time to break it."""

from __future__ import annotations

import pytest

from holdfast.judge import judge
from holdfast.model.timeline import Metrics
from holdfast.model.verdict import State
from holdfast.testing import a_check, a_report, a_scenario, a_timeline, a_verdict, an_alert, fault_steps, some_phases


def state_of(**changes):
    return judge(a_timeline(**changes)).state


def test_the_default_story_passes_every_check_and_every_expectation():
    report = judge(a_timeline())
    assert {verdict.state for verdict in report.verdicts} == {State.PASS}
    assert {check.state for check in report.checks} == {State.PASS}


def test_counts_are_plain_products():
    story = a_timeline()
    # 75 s x 12 requests/s
    assert len(story.load.requests) == story.load.planned == 900
    assert (story.load.requests["outcome"] == "cut").sum() == 4


def test_the_same_arguments_give_the_same_story():
    assert a_timeline().load.requests.equals(a_timeline().load.requests)
    assert not a_timeline(seed=8).load.requests.equals(a_timeline().load.requests)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"bad": {"fault": 40}}, State.FAIL),  # 40 of 240 is 16.7 %, 10 % may be
        ({"slow": {"recovery": 60}}, State.FAIL),  # 60 of 540 is 11 %, 5 % may be
        ({"alerts": ()}, State.FAIL),
        ({"alerts": an_alert(fired=60.0, cleared=70.0)}, State.FAIL),  # 29 s after the fault, 10 s allowed
        ({"faults": ()}, State.UNKNOWN),
        ({"faults": fault_steps({"asked": 31.0, "applied": 31.1, "observed": 31.2})}, State.NOT_RESTORED),
        ({"lateness": 0.5}, State.UNKNOWN),
        ({"dropped": 100}, State.UNKNOWN),
        ({"watchdog": False}, State.UNKNOWN),
        ({"complete": False}, State.UNKNOWN),
        ({"metrics": Metrics(trouble="no answer")}, State.UNKNOWN),
        ({"changes": {"damaged": ("plan.json: changed",)}}, State.UNKNOWN),
        ({"edit": lambda rows: rows.iloc[:0]}, State.UNKNOWN),
    ],
    ids=[
        "bad in the fault",
        "slow in recovery",
        "no alert",
        "a late alert",
        "no fault",
        "a fault never gone",
        "a late client",
        "requests dropped",
        "a dead alert path",
        "no end",
        "no metrics",
        "a changed record",
        "no request",
    ],
)
def test_one_change_breaks_the_story(changes, state):
    assert state_of(**changes) is state


def test_a_scenario_without_a_fault_has_none_in_its_story():
    story = a_timeline(scenario=a_scenario(chaos=None, expect=()))
    assert story.of("fault") == []
    assert (story.load.requests["outcome"] == "ok").all()


def test_more_bad_requests_than_a_phase_has_are_refused():
    with pytest.raises(ValueError, match="301 requests of phase recovery wanted, 300 are left"):
        a_timeline(bad={"recovery": 301})


def test_phases_follow_each_other():
    assert [(phase.start, phase.end) for phase in some_phases()] == [(0, 10), (10, 30), (30, 50), (50, 75)]


def test_a_report_is_as_bad_as_its_worst_part_and_an_empty_one_is_unknown():
    assert a_report().state is State.PASS
    assert a_report((a_verdict(), a_verdict(State.FAIL))).state is State.FAIL
    assert a_report(checks=(a_check(State.NOT_RESTORED),)).state is State.NOT_RESTORED
    assert a_report(()).state is State.UNKNOWN
