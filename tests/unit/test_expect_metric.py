"""`metric`: every sample keeps its bounds; silence means what was declared, and only where somebody listened."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from examples import write_project, write_run
from holdfast.errors import SpecError
from holdfast.expect.metric import StaysWithin
from holdfast.model.timeline import Answer, Metrics, Sampled
from holdfast.model.verdict import State
from holdfast.plan import make_plan
from holdfast.project import load_scenario
from holdfast.report.data import to_dict
from holdfast.store.reading import metrics_as_json, read_metrics, read_timeline
from holdfast.testing import a_place, a_report, a_scenario, a_timeline

QUEUE = "sum(vllm:num_requests_waiting)"
PASS, FAIL, UNKNOWN = State.PASS, State.FAIL, State.UNKNOWN
# baseline: second 10 to 30, fault: 30 to 50. A sample at each second but the first: 11 to 30 and 31 to 50.
SECONDS = {"baseline": range(11, 31), "fault": range(31, 51)}


def expectation(**changes):
    kept = {"query": QUEUE, "name": "queue", "during": ("baseline",), "at_most": 5.0, "where": a_place()}
    return StaysWithin(**{**kept, **changes})


def series(phase="baseline", *, value=2.0, values=None, without=(), **labels):
    """One value each second; `values` replaces that of some seconds, `without` leaves some out."""
    points = [(float(t), (values or {}).get(t, value)) for t in SECONDS[phase] if t not in without]
    return Sampled(labels=labels, points=tuple(points))


def answer(*found, phase="baseline", trouble=""):
    return Answer(query=QUEUE, phase=phase, series=found, trouble=trouble)


def judged(*answers, **changes):
    return expectation(**changes).judge(a_timeline(metrics=Metrics(answers=answers)))


def test_every_sample_within_the_bound_passes():
    verdict = judged(answer(series(values={20: 5.0})))
    assert (verdict.id, verdict.state) == ("metric:queue[baseline]", PASS)
    assert verdict.sentence == "All 20 samples with a value are at most 5; the worst is 5."
    seen = verdict.evidence
    assert (seen.n, seen.bad, seen.estimate, seen.limit) == (20, 0, 5.0, 5.0)


def test_one_sample_beyond_it_fails_and_is_named():
    verdict = judged(answer(series(instance="engine-1"), series(values={17: 9.0, 18: 6.0}, instance="engine-2")))
    assert verdict.state is FAIL
    assert verdict.sentence == ('2 of 40 samples are not at most 5; the worst is 9 at second 17 (instance="engine-2").')
    assert (verdict.evidence.n, verdict.evidence.bad, verdict.evidence.estimate) == (40, 2, 9.0)


@pytest.mark.parametrize(("value", "state"), [(0.9, FAIL), (1.0, PASS), (5.0, PASS), (5.1, FAIL)])
def test_both_bounds_may_be_asked(value, state):
    verdict = judged(answer(series(values={15: value}, value=3.0)), at_least=1.0)
    assert verdict.state is state
    assert "at least 1 and at most 5" in verdict.sentence


@pytest.mark.parametrize(("value", "state"), [(math.inf, FAIL), (-math.inf, PASS)])
def test_an_infinite_sample_is_a_value(value, state):
    assert judged(answer(series(values={15: value}))).state is state


@pytest.mark.parametrize("no_data", ["unknown", "pass", "fail"])
def test_a_sample_that_is_no_number_is_no_silence_and_proves_nothing(no_data):
    verdict = judged(answer(series(values={15: None})), no_data=no_data)
    assert verdict.state is UNKNOWN
    assert "1 of 20 samples are no number (NaN), the first at second 15." in verdict.sentence


@pytest.mark.parametrize(("no_data", "state"), [("unknown", UNKNOWN), ("pass", PASS), ("fail", FAIL)])
@pytest.mark.parametrize(
    "without",
    [range(11, 14), range(18, 21), range(28, 31), SECONDS["baseline"]],
    ids=["at the start", "in the middle", "at the end", "all of it"],
)
def test_silence_means_what_was_declared(no_data, state, without):
    # three samples missing in a row: more than three intervals from one to the next
    found = (series(without=without),) if len(without) < 20 else ()
    verdict = judged(answer(*found), no_data=no_data)
    assert verdict.state is state
    assert "There are no data for" in verdict.sentence
    words = {"unknown": "nothing is known", "pass": "declared to mean good", "fail": "declared to mean bad"}
    assert words[no_data] in verdict.sentence


@pytest.mark.parametrize("without", [range(11, 13), range(18, 20), range(29, 31)], ids=["start", "middle", "end"])
def test_two_missed_samples_are_no_silence(without):
    assert judged(answer(series(without=without))).state is PASS


def test_a_series_that_falls_silent_beside_others_is_silence_too():
    whole, cut = series(instance="engine-1"), series(instance="engine-2", without=range(20, 31))
    verdict = judged(answer(whole, cut))
    assert verdict.state is UNKNOWN
    assert 'of baseline from second 19 (instance="engine-2")' in verdict.sentence


def test_a_series_seen_in_one_phase_is_expected_in_the_other():
    both = [series(phase, instance="engine-1") for phase in ("baseline", "fault")]
    answers = answer(both[0], series(instance="engine-2")), answer(both[1], phase="fault")
    assert judged(*answers, during=("baseline", "fault")).state is UNKNOWN
    assert judged(*answers, during=("baseline", "fault"), no_data="pass").state is PASS


@pytest.mark.parametrize("trouble", [{"values": {16: None}}, {"without": range(18, 25)}])
@pytest.mark.parametrize("no_data", ["unknown", "pass"])
def test_a_real_violation_fails_whatever_else(trouble, no_data):
    values = {15: 99.0, **trouble.get("values", {})}
    assert judged(answer(series(values=values, without=trouble.get("without", ()))), no_data=no_data).state is FAIL


@pytest.mark.parametrize("no_data", ["unknown", "pass", "fail"])
def test_an_expression_that_was_refused_is_unknown_in_its_words_and_no_silence(no_data):
    refused = answer(trouble="Prometheus refused it: unknown function with name nosuch")
    verdict = judged(refused, no_data=no_data)
    assert verdict.state is UNKNOWN
    assert verdict.sentence == "Phase baseline: Prometheus refused it: unknown function with name nosuch."
    beyond = judged(refused, answer(series("fault", value=9.0), phase="fault"), during=("baseline", "fault"))
    assert beyond.state is FAIL


@pytest.mark.parametrize("no_data", ["unknown", "pass", "fail"])
def test_what_was_never_recorded_is_unknown_and_no_silence(no_data):
    verdict = judged(no_data=no_data)
    assert (verdict.state, verdict.sentence) == (UNKNOWN, "No answer was recorded for phase baseline.")
    half = judged(answer(series()), during=("baseline", "fault"), no_data=no_data)
    assert half.state is UNKNOWN


def test_a_sample_of_another_time_counts_for_nothing():
    # second 10 is of the phase before, 31 of the one after
    around = Sampled(labels={}, points=((10.0, 99.0), *series().points, (31.0, 99.0)))
    assert judged(answer(around)).state is PASS
    elsewhere = Sampled(labels={}, points=tuple((t + 20, value) for t, value in series().points))
    assert judged(answer(elsewhere)).state is UNKNOWN


def test_it_is_never_settled_so_its_phases_last():
    assert not expectation().settled(a_timeline())


def test_the_plan_says_what_will_be_asked():
    scenario = a_scenario(expect=(expectation(at_least=1.0, during=("baseline", "fault"), no_data="pass"),))
    (told,) = make_plan(scenario, lambda _: [0.0]).forecasts
    assert told.note == "each of 40 samples at least 1 and at most 5; no data means pass"
    assert (told.expects, told.can_pass) == (40, True)


def test_the_record_keeps_every_kind_of_number(tmp_path):
    kept = answer(series(values={12: None, 13: math.inf, 14: -math.inf}, instance="a"))
    metrics = Metrics(answers=(kept, answer(trouble="refused", phase="fault")))
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(metrics_as_json(metrics), allow_nan=False), encoding="utf-8")
    assert read_metrics(path) == metrics


def test_a_verdict_about_the_infinite_is_json():
    verdict = judged(answer(series(values={15: math.inf})))
    assert json.dumps(to_dict(a_report((verdict,))), allow_nan=False)


def test_a_run_from_before_there_were_metrics_is_read_and_unknown(tmp_path):
    path = write_project(tmp_path / "project", scenario=("expect:\n", f"expect:\n  - {{{ITEM}}}\n"))
    story = a_timeline(scenario=load_scenario(path, tmp_path / "project"))
    folder = write_run(tmp_path / "runs" / "old", story)
    file = folder / "metrics.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    del found["answers"]
    file.write_text(json.dumps(found), encoding="utf-8")
    timeline = read_timeline(folder)
    assert replace(timeline.metrics, answers=()) == story.metrics
    verdict = timeline.scenario.expect[0].judge(timeline)
    assert (verdict.state, verdict.sentence) == (UNKNOWN, "No answer was recorded for phase baseline.")


ITEM = "metric: 'sum(vllm:num_requests_waiting)', during: [baseline], at-most: 5"


def read(root, item):
    path = write_project(root, scenario=("expect:\n", f"expect:\n  - {{{item}}}\n"))
    return load_scenario(path, root).expect[0]


def test_it_is_read_from_a_scenario(tmp_path):
    found = read(tmp_path, f"{ITEM}, at-least: 0, no-data: fail")
    assert (found.at_most, found.at_least, found.no_data) == (5.0, 0.0, "fail")
    assert found.id == "metric:sum(vllm:num_requests_waiting)[baseline]"
    assert found.queries == ((QUEUE, "baseline"),)
    assert (found.where.line, found.where.file) == (16, "scenarios/quickstart.yaml")


def test_without_a_word_silence_means_that_nothing_is_known(tmp_path):
    assert read(tmp_path, ITEM).no_data == "unknown"


def test_a_long_expression_is_cut_in_the_name_and_one_may_be_given(tmp_path):
    long = "metric: 'sum(rate(gateway_requests_total{code!=\"200\"}[30s]))', during: [baseline], at-most: 5"
    assert read(tmp_path, long).id == "metric:sum(rate(gateway_requests_total{code!...[baseline]"
    assert read(tmp_path, f"{long}, name: errors").id == "metric:errors[baseline]"


@pytest.mark.parametrize("expression", ["1", "time()", "scalar(up)", "(up)", "up > bool 0", "max_over_time(up[5m])"])
def test_every_expression_with_a_value_may_be_asked(tmp_path, expression):
    assert read(tmp_path, f"metric: '{expression}', during: [baseline], at-most: 5").query == expression


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("metric: 'up +', during: [baseline], at-most: 5", "not PromQL"),
        ("metric: 'rate(up)', during: [baseline], at-most: 5", "expected type matrix in call to function 'rate'"),
        ("metric: 'nosuch(up)', during: [baseline], at-most: 5", "unknown function"),
        ("metric: '', during: [baseline], at-most: 5", "not PromQL"),
        ("metric: 'up[5m]', during: [baseline], at-most: 5", "a range of samples is no single value"),
        ("metric: '((up[5m:1s]))', during: [baseline], at-most: 5", "a range of samples is no single value"),
        ("metric: '\"five\"', during: [baseline], at-most: 5", "a text is no value"),
        ("metric: up, during: [baseline]", "nothing is asked of the metric"),
        ("metric: up, during: [baseline], at-most: 1, at-least: 2", "no value is at least 2 and at most 1"),
        ("metric: up, during: [baseline], at-most: 1e999", "a bound must be finite"),
        ("metric: up, during: [baseline], at-most: .nan", "expected a number, got '.nan'"),
        ("metric: up, during: [baseline], at-most: true", "expected a number, got True"),
        ("metric: up, during: [baseline], at-most: 1, no-data: good", "expected 'unknown', 'pass' or 'fail'"),
        ("metric: up, during: [baseline], at-most: 1, name: 'a b'", "not a name: 'a b'"),
        ("metric: up, during: [lunch], at-most: 1", "no phase named 'lunch'"),
        ("metric: up, during: [], at-most: 1", "expected at least one item"),
    ],
)
def test_what_cannot_be_asked_is_told_at_its_place(tmp_path, item, told):
    with pytest.raises(SpecError) as caught:
        read(tmp_path, item)
    assert [str(one.where).rpartition(":")[0] for one in caught.value.problems] == ["scenarios/quickstart.yaml:16"]
    assert told in str(caught.value)
