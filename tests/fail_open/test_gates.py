"""Thirteen places where gates and delivery controllers pass without proof, and what the gate here says instead."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace

import pytest

from examples import quickstart, write_project, write_run
from guards import guards
from holdfast import app, stats
from holdfast.errors import ExitCode, HoldfastError
from holdfast.expect.invariant import InvariantHolds
from holdfast.expect.slo import SloHolds
from holdfast.gate import decide
from holdfast.judge import judge
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import State, worst
from holdfast.plugin.runs import Runs
from holdfast.report.junit import junit
from holdfast.sources.prometheus import Prometheus
from holdfast.store.reading import read_timeline
from holdfast.testing import a_place, a_report, a_scenario, a_timeline, a_verdict, an_slo, some_expectations

PASS, FAIL, UNKNOWN = State.PASS, State.FAIL, State.UNKNOWN
USAGE = ExitCode.USAGE
ARGO, FLAGGER, KAYENTA, KEPTN = "Argo Rollouts", "Flagger", "Kayenta", "Keptn"


def test_the_default_story_passes():
    # Every situation below is this story with one thing wrong.
    assert judge(a_timeline()).state is PASS


def code_of(act):
    """The exit code of a command that does this."""
    try:
        act()
    except HoldfastError as error:
        return error.exit_code
    return ExitCode.PASS


def edited(tmp_path, **changes):
    """The exit code of reading a project with one edit."""
    path = write_project(tmp_path, **changes)
    return code_of(lambda: app.plan(path, app.Workplace(root=tmp_path, state=tmp_path, runs=tmp_path)))


# 1


@guards(ARGO, "a metric with neither a success nor a failure condition is Successful", USAGE)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (", fires-within: 15s, clears-within: 20s}", "}"),
        (", within: 15s}", "}"),
        (", spend: 1%}", "}"),
        ("{invariant: answers-complete}", "{invariant: }"),
        (", during: [fault], objective: 90%}", ", during: []}"),
    ],
    ids=["alert", "recovery", "budget", "invariant", "slo"],
)
def test_an_expectation_of_which_nothing_is_asked_is_a_mistake(tmp_path, old, new):
    return edited(tmp_path, scenario=(old, new))


@guards(ARGO, "an analysis without a metric is Successful", UNKNOWN)
def test_a_record_that_nobody_asks_anything_is_unknown():
    return judge(a_timeline(scenario=a_scenario(expect=()))).state


# 2


@guards(ARGO, "an analysis that ended with no measurement at all is Successful", UNKNOWN)
@pytest.mark.parametrize("ended", [True, False], ids=["to the end", "terminated"])
def test_a_run_without_a_request_is_unknown(ended):
    return judge(a_timeline(edit=lambda rows: rows.iloc[:0], complete=ended, faults=())).state


# 3


@guards(ARGO, "the analysis is skipped at first deployment, full promotion and fast rollback", UNKNOWN)
def test_a_scenario_that_was_skipped_is_missed_by_the_gate():
    passed = judge(a_timeline())
    assert passed.state is PASS
    return decide("staging", "git:abc", [passed.scenario, "never-run"], [passed]).state


# 4


@guards(ARGO, "failureLimit: 3 tolerates three failures and aborts on the fourth", FAIL)
def test_one_broken_answer_is_one_too_many():
    expect = (*some_expectations(), InvariantHolds(invariant="answers-complete", where=a_place()))
    story = a_timeline(scenario=a_scenario(expect=expect), edit=short_of_a_token)
    return judge(story).state


def short_of_a_token(rows):
    good = rows.index[rows["outcome"] == "ok"][0]
    return rows.assign(tokens=rows["tokens"].where(rows.index != good, rows["asked_tokens"] - 1))


@guards(ARGO, "the documents say the limit is one less than the code does", UNKNOWN)
def test_the_number_that_the_plan_allows_is_allowed_and_one_more_is_not():
    # 20 s at 12/s: 240 requests, objective 95 %, and none of them slow or bad together: P(X <= 6 of 240) = 4.1 %.
    expect = (SloHolds(slo=an_slo(), during=("baseline",), objective=0.95, where=a_place()),)
    scenario = a_scenario(expect=expect, chaos=None)
    most = stats.most_bad_that_passes(240, 0.05)
    assert most == 6
    assert 0 < expect[0].forecast(scenario, [one / 12 for one in range(900)]).most_bad <= most
    assert judge(a_timeline(scenario=scenario, edit=scattered(most))).state is PASS
    return judge(a_timeline(scenario=scenario, edit=scattered(most + 1))).state


def scattered(bad):
    """So many bad requests of the 240 due from second 10 on, each in a second of its own; all equally fast."""

    def edit(rows):
        ids = [120 + 30 * one for one in range(bad)]
        outcome = rows["outcome"].where(~rows["id"].isin(ids), "http_error")
        return rows.assign(first=rows["due"] + 0.1, last=rows["last"] + 0.1, done=rows["done"] + 0.1, outcome=outcome)

    return edit


@guards(ARGO, "a web metric's jsonPath uses the first of several matches", UNKNOWN)
def test_two_series_where_one_number_was_asked_for_are_none():
    good = {"metric": {}, "value": [0, "12"]}
    return witnessed(lambda: [good, good])


def witnessed(answer):
    """The default story, with a Prometheus that answers each count so."""
    story = a_timeline()
    taken = Prometheus(lambda promql, _: [] if promql.endswith("s]") else answer()).take(story.scenario, story.anchor)
    metrics = replace(story.metrics, counted=taken.counted, trouble=taken.trouble)
    return judge(a_timeline(metrics=metrics)).state


# 5


@guards(ARGO, "an error counts towards nothing, and a job that vanished is started again up to four times", UNKNOWN)
def test_a_run_that_broke_off_is_not_played_until_it_passes(tmp_path):
    plays = []

    def play(path):
        plays.append(path)
        if len(plays) == 1:
            raise KeyboardInterrupt
        raise AssertionError("played again")

    runs = Runs(play)
    with pytest.raises(KeyboardInterrupt):
        runs.outcome(tmp_path)
    found = runs.outcome(tmp_path)
    assert len(plays) == 1
    return found.state


# 6


@guards(FLAGGER, "HTTP 202, accepted and still running, is a pass", UNKNOWN)
def test_a_run_that_is_still_going_on_is_unknown_and_no_code_but_0_means_pass():
    # There is nothing to poll: a run gives one of four answers, and each but PASS has a code of its own.
    assert {state for state in State if state.exit_code == 0} == {PASS}
    return judge(a_timeline(complete=False)).state


# 7


@guards(FLAGGER, "a metric of an unknown name without a template is ignored", USAGE)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{slo: gateway/ttft,", "{slo: gateway/tfft,"),
        ("{invariant: answers-complete}", "{invariant: answers-complet}"),
        ("{budget: gateway/availability", "{budgett: gateway/availability"),
    ],
)
def test_a_name_that_means_nothing_is_a_mistake(tmp_path, old, new):
    return edited(tmp_path, scenario=(old, new))


@guards(FLAGGER, "a threshold broken while traffic is being confirmed does not roll back", FAIL)
def test_no_other_answer_hides_a_broken_objective():
    report = judge(a_timeline(bad={"baseline": 60}))  # 60 of 240 where 1 % may be
    assert PASS in {one.state for one in report.verdicts}
    return report.state


# 8


@guards(KAYENTA, "no data, replaced by zero, is a Pass", UNKNOWN)
@pytest.mark.parametrize("value", [[], [{"metric": {}, "value": [0, "NaN"]}]], ids=["empty", "NaN"])
def test_no_data_is_not_zero(value):
    return witnessed(lambda: value)


@guards(KAYENTA, "a group in which every metric is Nodata scores 100", UNKNOWN)
def test_several_unknowns_are_unknown():
    return worst([UNKNOWN, UNKNOWN, PASS])


@guards(KAYENTA, "a classifier that raises is neither critical nor counted", UNKNOWN)
def test_a_judgement_that_raises_is_unknown():
    expect = (*some_expectations(), Raising(where=a_place()))
    return judge(a_timeline(scenario=a_scenario(expect=expect))).state


@dataclass(frozen=True, slots=True, kw_only=True)
class Raising(Expectation):
    """A judgement with a bug."""

    kind = "raising"

    @property
    def id(self):
        return "raising"

    def judge(self, timeline):
        raise ZeroDivisionError


# 9


@guards(KEPTN, "no SLO file is a pass", USAGE)
def test_a_project_without_its_slos_is_a_mistake(tmp_path):
    path = write_project(tmp_path)
    (tmp_path / "slos" / "gateway.yaml").unlink()
    return code_of(lambda: app.plan(path, app.Workplace(root=tmp_path, state=tmp_path, runs=tmp_path)))


@guards(KEPTN, "without earlier results a relative criterion passes", UNKNOWN)
def test_there_is_nothing_to_be_relative_to_and_a_first_run_needs_its_own_proof():
    # 20 s at 1/s: 20 requests, none bad. 1 % needs ln(0.05) / ln(0.99) = 299 of them.
    expect = (SloHolds(slo=an_slo(), during=("baseline",), objective=0.99, where=a_place()),)
    return judge(a_timeline(scenario=a_scenario(rate=1.0, expect=expect, chaos=None))).state


@guards(KEPTN, "a highest possible score of 0 passes with 100", UNKNOWN)
def test_a_gate_that_expects_nothing_is_unknown():
    assert worst([]) is UNKNOWN
    return decide("staging", "git:abc", [], [a_report()]).state


# 10


@guards("Kargo", "freight that fails a second verification stays verified", FAIL, UNKNOWN)
@pytest.mark.parametrize("second", [FAIL, None], ids=["it failed", "it broke off"])
def test_a_gate_forgets_what_it_decided_before_it_looks_again(tmp_path, second):
    path = write_project(tmp_path)
    place = app.Workplace(root=tmp_path, state=tmp_path / "state", runs=tmp_path / "runs")
    reports = {state: a_report((a_verdict(state),), scenario="quickstart") for state in (PASS, FAIL)}
    kept = app.keep_decision(place, decide("quickstart", "git:abc", ["quickstart"], [reports[PASS]]))
    assert json.loads(kept.read_text())["verdict"] == "PASS"
    app.forget_decision(place, "quickstart", "git:abc", [path])
    if second:
        app.keep_decision(place, decide("quickstart", "git:abc", ["quickstart"], [reports[second]]))
    return State(json.loads(kept.read_text())["verdict"])


# 11


@guards("Argo CD", "a Job that was suspended and resumed is Healthy while it still runs", UNKNOWN)
def test_a_folder_that_is_still_being_written_is_unknown(tmp_path):
    return judge(read_timeline(write_run(tmp_path / "run", a_timeline(scenario=quickstart()), sealed=False))).state


@guards("Argo CD", "hooks do not run on a selective sync, and a hook that failed leaves the app healthy", UNKNOWN)
def test_a_part_of_the_gate_is_not_the_gate():
    one, other = (a_report(scenario=name) for name in ("engine-kill", "quickstart"))
    assert decide("staging", "", ["engine-kill", "quickstart"], [one, other]).state is PASS
    return decide("staging", "", ["engine-kill", "quickstart"], [one, replace(one)]).state


# 12


@guards("Datadog", "gate evaluate passes by default when the service is not available", UNKNOWN)
def test_a_prometheus_that_does_not_answer_is_unknown():
    def refuse():
        raise ConnectionError("refused")

    return witnessed(refuse)


@guards("Datadog", "gate evaluate passes by default when no rule matches", USAGE)
def test_a_gate_without_a_scenario_is_a_mistake(tmp_path):
    write_project(tmp_path)
    return code_of(lambda: app.scenarios_of_gate("prod", tmp_path))


@guards("GitHub", "a skipped job satisfies a required check", UNKNOWN)
def test_what_is_unknown_is_an_error_in_junit_and_never_skipped():
    report = a_report((a_verdict(UNKNOWN),))
    cases = list(ET.fromstring(junit([report])).iter("testcase"))
    assert not [one for one in cases if one.find("skipped") is not None]
    assert [one for one in cases if one.find("error") is not None]
    return report.state
