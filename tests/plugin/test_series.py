"""A scenario that repeats is one file of tests: each has the worst of its trials, or what the claim makes of them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from holdfast.attempts import Standing
from holdfast.errors import ExitCode
from holdfast.model.verdict import State
from holdfast.play import judge_run
from holdfast.plugin.items import trust
from holdfast.plugin.runs import Runs

GOOD: dict = {}


def states(project, *words):
    """State of each test by name."""
    project.run("--junitxml=junit.xml", "-o", "junit_family=xunit1", *words)
    return [
        {one.get("name"): one.get("value") for one in case.iter("property")}["holdfast_state"]
        for case in ET.parse(project.root / "junit.xml").iter("testcase")
    ]


def test_a_series_that_passed_passes(project):
    found = project.run(project.series(GOOD, GOOD, repeat="2"))
    assert (found.ret, found.parseoutcomes()) == (ExitCode.PASS, {"passed": 4})
    found.stdout.fnmatch_lines(["PASS         engine-dies  */runs/series-1.json"])


def test_each_expectation_has_the_worst_of_its_trials(project, stories):
    series = project.series(GOOD, stories[ExitCode.FAIL], stories[ExitCode.UNKNOWN], repeat="3")
    assert states(project, series) == ["FAIL", "PASS", "PASS", "PASS"]
    found = project.run(series)
    assert found.ret == ExitCode.FAIL
    found.stdout.fnmatch_lines(
        ["trial 2 of 3: FAIL: 60 of 539 requests were bad*", "FAIL: 1 of 3 trials passed, 1 failed*"]
    )


def test_a_fault_that_a_trial_may_have_left_is_the_sessions_code(project, stories):
    assert project.run(project.series(GOOD, stories[ExitCode.NOT_RESTORED], repeat="3")).ret == ExitCode.NOT_RESTORED


def test_a_trial_that_was_never_played_makes_every_test_unknown(project):
    series = project.series(GOOD, GOOD, repeat="3")
    assert states(project, series) == ["UNKNOWN"] * 4
    assert project.run(series).ret == ExitCode.UNKNOWN


def test_with_a_claim_every_test_has_the_answer_of_the_series(project, stories):
    # 1 bad of 4: P(Binomial(4, p) <= 1) = 5 % at p = 0.751.
    series = project.series(GOOD, stories[ExitCode.FAIL], GOOD, GOOD, repeat="{times: 4, fails-at-most: 80%}")
    assert states(project, series) == ["PASS"] * 4
    series = project.series(GOOD, *[stories[ExitCode.FAIL]] * 2, GOOD, repeat="{times: 4, fails-at-most: 80%}")
    assert states(project, series) == ["UNKNOWN"] * 4


def test_one_run_is_no_series(project):
    project.series(GOOD, GOOD, repeat="2")
    (run, _) = sorted((project.root / "runs").glob("2*"))
    found = project.run(f"--holdfast-judge={run}")
    assert found.ret == ExitCode.UNKNOWN
    found.stdout.fnmatch_lines(["*--holdfast-judge names 0 series of engine-dies*"])


def test_a_series_of_another_text_is_refused(project):
    series = project.series(GOOD, GOOD, repeat="2")
    project.path.write_text(project.path.read_text().replace("within: 15s", "within: 16s"))
    assert states(project, series) == ["UNKNOWN"] * 4


@pytest.mark.slow
def test_workers_judge_the_same_series(project, stories):
    assert project.start(project.series(GOOD, stories[ExitCode.FAIL], repeat="2"), "-n2").ret == ExitCode.FAIL


def test_a_test_beside_sees_the_worst_trial(project, stories):
    series = project.series(GOOD, stories[ExitCode.FAIL], GOOD, repeat="3")
    project.pytester.makepyfile(
        test_beside="""
        def test_it(holdfast_outcome):
            outcome = holdfast_outcome("engine-dies")
            assert (outcome.report.state, outcome.timeline.scenario.seed) == ("FAIL", 9)
        """
    )
    found = project.run(series, where="test_beside.py")
    assert found.parseoutcomes() == {"passed": 1}


# attempts


@pytest.fixture
def second_try(project, good):
    """A run in which everything holds, and an earlier attempt at the same subject that failed."""
    played = judge_run(project.root / "runs" / good.rpartition("/")[2])
    standing = Standing(
        scenario="engine-dies",
        run=played.folder.name,
        state=State.FAIL,
        own=State.PASS,
        attempt=2,
        earlier=(State.FAIL,),
        sentence="Attempt 1 ended FAIL, and that stands.",
    )
    return replace(played, standing=standing)


def test_the_test_of_trust_says_what_earlier_attempts_leave_of_a_pass(second_try):
    state, text = trust(second_try)
    assert state is State.FAIL
    assert text.startswith("FAIL: Attempt 1 ended FAIL, and that stands.\nPASS: ")
    assert trust(replace(second_try, standing=replace(second_try.standing, state=State.PASS)))[0] is State.PASS


def test_evidence_of_earlier_attempts_makes_no_test_better(project, stories):
    played = judge_run(project.root / "runs" / project.stored(**stories[ExitCode.NOT_RESTORED]).rpartition("/")[2])
    better = replace(played.standing, state=State.PASS)
    assert trust(replace(played, standing=better))[0] is State.NOT_RESTORED


def test_what_one_process_made_of_the_attempts_every_process_is_told(tmp_path, second_try):
    asked = tmp_path / "a.yaml"
    first, second = (Runs(lambda _: second_try, tmp_path).outcome(asked) for _ in range(2))
    assert first.standing == second.standing == second_try.standing
    (note,) = tmp_path.glob("*.json")
    assert json.loads(note.read_text())["standing"]["verdict"] == "FAIL"
