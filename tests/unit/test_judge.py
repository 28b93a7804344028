"""The verdict: what cannot be trusted is UNKNOWN, what breaks is UNKNOWN, nothing asked is UNKNOWN."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from holdfast.errors import ExitCode
from holdfast.judge import judge
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import Evidence, Report, State, Verdict, worst
from holdfast.testing import KILL, a_place, a_scenario, a_timeline, fault_steps, some_expectations


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed(Expectation):
    """An expectation that answers what it is told, or breaks."""

    kind = "fixed"
    state: State | None
    p: float | None = None

    @property
    def id(self):
        return "fixed"

    def judge(self, timeline):
        if self.state is None:
            raise ZeroDivisionError("division by zero")
        return Verdict(
            id=self.id,
            kind=self.kind,
            state=self.state,
            sentence="So it is.",
            evidence=Evidence(p=self.p),
            where=self.where,
        )


def report_of(*states, **story) -> Report:
    expect = tuple(Fixed(state=state, where=a_place()) for state in states)
    return judge(a_timeline(scenario=a_scenario(expect=expect), **story))


def test_a_run_is_as_good_as_its_worst_answer():
    assert report_of(State.PASS, State.PASS).state is State.PASS
    assert report_of(State.PASS, State.UNKNOWN).state is State.UNKNOWN
    assert report_of(State.PASS, State.UNKNOWN, State.FAIL).state is State.FAIL


def test_an_expectation_that_raises_is_unknown_with_its_error():
    report = report_of(None, State.PASS)
    assert [one.state for one in report.verdicts] == [State.UNKNOWN, State.PASS]
    broken = report.verdicts[0]
    assert broken.sentence == "The judgement itself broke: ZeroDivisionError: division by zero"
    assert (broken.id, broken.kind, broken.where) == ("fixed", "fixed", a_place())
    assert report.state is State.UNKNOWN


def test_a_scenario_without_expectations_proves_nothing():
    report = report_of()
    assert all(check.state is State.PASS for check in report.checks)
    assert report.state is State.UNKNOWN


@pytest.mark.parametrize("state", [State.PASS, State.FAIL, State.UNKNOWN])
def test_a_record_that_is_not_whole_answers_nothing(state):
    report = report_of(state, changes={"damaged": ("events.ndjson: changed since the run",)})
    assert report.verdicts[0].state is State.UNKNOWN
    assert report.verdicts[0].sentence == (
        f"Not judged: record whole: events.ndjson: changed since the run. Otherwise: {state}. So it is."
    )
    assert report.state is State.UNKNOWN


def test_a_fault_that_is_still_there_is_worse_than_any_failure():
    steps = {step: t for step, t in KILL.items() if step != "gone"}
    assert report_of(State.FAIL, faults=fault_steps(steps)).state is State.NOT_RESTORED


def test_what_does_not_depend_on_a_check_keeps_its_answer():
    # Without a watchdog nothing is known of alerts; requests were counted all the same.
    report = judge(a_timeline(watchdog=False))
    states = {verdict.id: verdict.state for verdict in report.verdicts}
    assert states.pop("alert:EngineDown") is State.UNKNOWN
    assert set(states.values()) == {State.PASS}


def states_with(*answers, alpha=0.05):
    """What becomes of (state, p) pairs, none of which rests on the record."""
    expect = tuple(Fixed(state=state, p=p, where=a_place()) for state, p in answers)
    return [one.state for one in judge(a_timeline(scenario=a_scenario(expect=expect, alpha=alpha))).verdicts]


def test_a_fail_that_may_be_one_of_many_by_chance_is_unknown():
    # 3 % is below 5 % when asked alone; among three questions the smallest p-value must be below 5 % / 3 = 1.7 %.
    assert states_with((State.FAIL, 0.03)) == [State.FAIL]
    assert states_with((State.FAIL, 0.0), (State.PASS, 1.0)) == [State.FAIL, State.PASS]
    assert states_with((State.FAIL, 0.03), (State.PASS, 0.9), (State.PASS, 1.0)) == [
        State.UNKNOWN,
        State.PASS,
        State.PASS,
    ]


def test_once_the_surest_fails_the_next_has_fewer_rivals():
    # Holm: 1 % <= 5 % / 3, then 2 % <= 5 % / 2, then 6 % > 5 %.
    assert states_with((State.FAIL, 0.02), (State.FAIL, 0.01), (State.UNKNOWN, 0.06)) == [
        State.FAIL,
        State.FAIL,
        State.UNKNOWN,
    ]
    assert states_with((State.FAIL, 0.02), (State.FAIL, 0.01), (State.UNKNOWN, 0.06), alpha=0.01) == [State.UNKNOWN] * 3


def test_what_is_no_matter_of_chance_neither_counts_nor_is_doubted():
    assert states_with((State.FAIL, 0.03), (State.FAIL, None), (State.FAIL, None)) == [State.FAIL] * 3


def test_a_fail_that_chance_may_explain_says_so():
    expect = tuple(Fixed(state=State.FAIL, p=0.03, where=a_place()) for _ in range(2))
    doubted = judge(a_timeline(scenario=a_scenario(expect=expect))).verdicts[0]
    assert doubted.sentence == "Asked alone it would be FAIL, but one of 2 questions may fail by chance: So it is."


def test_late_load_spoils_numbers_and_not_alerts():
    states = {one.kind: one.state for one in judge(a_timeline(lateness=0.5)).verdicts}
    assert states == {"slo": State.UNKNOWN, "recovery": State.UNKNOWN, "alert": State.PASS}


def test_the_report_names_scenario_run_and_provenance():
    report = judge(a_timeline(), {"seed": "7"})
    assert (report.scenario, report.title, report.run, report.provenance) == (
        "engine-kill",
        "One of three engines dies under chat load",
        "20260301-101500-engine-kill",
        {"seed": "7"},
    )
    assert [one.id for one in report.verdicts] == [one.id for one in some_expectations()]


def test_nothing_merged_is_unknown():
    assert worst([]) is State.UNKNOWN


def test_states_end_a_process_as_documented():
    assert {state: int(state.exit_code) for state in State} == {"PASS": 0, "FAIL": 1, "UNKNOWN": 10, "NOT_RESTORED": 11}
    assert (ExitCode.USAGE, ExitCode.BUG, ExitCode.INFRASTRUCTURE) == (2, 70, 75)
