"""`recovery`: seconds from the fault until it is noticed, until a good answer, until the SLO is kept again."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import write_project
from holdfast.errors import SpecError
from holdfast.expect.recovery import RecoversWithin, Wait, last_broken, time_to_detect
from holdfast.judge import judge
from holdfast.model.timeline import AlertEvent
from holdfast.model.verdict import State
from holdfast.project import load_scenario
from holdfast.report.data import to_dict
from holdfast.testing import (
    KILL,
    a_place,
    a_scenario,
    a_timeline,
    a_ttft_slo,
    an_alert,
    an_slo,
    fault_steps,
    some_watchdogs,
)

STRUCK = 31.02
# The record ends at 75 s, 43.98 s after the fault; the Watchdog is heard every 5 s, last at 75 s.


def expected(within=15.0, answers=None, detected=None, by=None, slo=None):
    bounds = {"within": within, "answers_within": answers, "detected_within": detected, "detected_by": by}
    return RecoversWithin(slo=slo or an_slo(), where=a_place(), **bounds)


def judged(within=15.0, answers=None, detected=None, by=None, slo=None, **story):
    return expected(within, answers, detected, by, slo).judge(a_timeline(**story))


def cut(*spans):
    """Requests that end within these spans of seconds end badly."""

    def edit(rows):
        inside = np.zeros(len(rows), dtype=bool)
        for start, end in spans:
            inside |= ((rows["done"] >= start) & (rows["done"] < end)).to_numpy()
        return rows.assign(outcome=np.where(inside, "cut", "ok"))

    return edit


def test_an_slo_never_broken_is_recovered_at_once():
    verdict = judged(bad={})
    assert (verdict.state, verdict.evidence.estimate) == (State.PASS, 0.0)
    assert verdict.sentence == "The SLO was never broken after the fault."


def test_recovery_ends_with_the_last_bad_request():
    # Bad until second 39: 39 - 31.02 = 7.98 s, and the last bad one ends within a tenth before that.
    verdict = judged(bad={}, edit=cut((STRUCK, 39.0)))
    assert verdict.state is State.PASS
    assert verdict.evidence.estimate == pytest.approx(7.9, abs=0.15)


def test_too_slow_a_recovery_fails():
    verdict = judged(within=5.0, bad={}, edit=cut((STRUCK, 39.0)))
    assert verdict.state is State.FAIL
    assert "allowed 5s" in verdict.sentence


def test_a_relapse_counts():
    # Good from 33 to 60, broken again until 62: 62 - 31.02 = 31 s.
    assert judged(bad={}, edit=cut((STRUCK, 33.0), (60.0, 62.0))).state is State.FAIL


def test_a_record_that_ends_while_broken_proves_no_recovery():
    # Bad from 72 to the end at 75, allowed a minute: nobody saw it end.
    verdict = judged(within=60.0, bad={}, edit=cut((72.0, 80.0)))
    assert verdict.state is State.UNKNOWN
    assert verdict.sentence.endswith("the record ends before 5 s of good service.")


def test_silence_after_the_fault_is_no_recovery():
    verdict = judged(bad={}, edit=lambda rows: rows[rows["done"] < STRUCK])
    assert (verdict.state, verdict.evidence.n) == (State.UNKNOWN, 0)


def test_without_a_fault_there_is_nothing_to_recover_from():
    assert judged(faults=()).state is State.UNKNOWN


def test_no_requests_at_all_are_unknown():
    assert judged(edit=lambda rows: rows.iloc[:0]).state is State.UNKNOWN


def test_a_request_that_never_ended_is_broken_until_the_record_ends():
    def hang(rows):
        return rows.assign(
            done=np.where(rows["id"] == 500, np.nan, rows["done"]),
            outcome=np.where(rows["id"] == 500, "unfinished", "ok"),
        )

    # One bad of the 60 requests in its last 5 s is 1.7 % > 1 %, at the record's end: 75 - 31.02 = 43.98 s.
    verdict = judged(bad={}, edit=hang)
    assert (verdict.state, verdict.evidence.estimate) == (State.FAIL, pytest.approx(43.98))


@pytest.mark.parametrize(
    ("ended", "bad", "budget", "last"),
    [
        ([], [], 0.01, 10.0),  # nothing seen: as if never broken; the judgement asks for good requests besides
        ([11, 12], [0, 0], 0.01, 10.0),
        ([11, 12, 13], [0, 1, 0], 0.01, 12.0),  # 1 of 2 > 1 %
        ([11, 12, 13, 14], [0, 0, 0, 1], 0.5, 10.0),  # 1 of 4 <= 50 %
        ([6, 7, 8, 9, 11], [0, 0, 0, 0, 1], 0.5, 11.0),  # good ones from before it dilute nothing: 1 of 1
        ([9, 11], [1, 0], 0.01, 10.0),  # bad before the fault is not the fault's doing
        ([11, 11.5, 20], [1, 1, 1], 0.4, 20.0),  # alone in its window: 1 of 1
    ],
)
def test_the_last_broken_moment_by_hand(ended, bad, budget, last):
    assert last_broken(np.array(ended, dtype=float), np.array(bad, dtype=bool), budget, since=10.0) == last


# Time to detect


def firing(t, name="EngineDown", **labels):
    return AlertEvent(t=t, name=name, status="firing", severity="page", labels=labels)


def resolved(t, name="EngineDown", **labels):
    return AlertEvent(t=t, name=name, status="resolved", severity="page", labels=labels)


def test_what_has_no_bound_is_measured_and_shown_but_not_judged():
    verdict = judged(bad={}, alerts=())
    assert (verdict.state, verdict.sentence) == (State.PASS, "The SLO was never broken after the fault.")
    other = verdict.evidence.other
    assert other["seconds to detect"] is None
    assert other["seconds to detect, more than"] == pytest.approx(43.98)  # 75 - 31.02: the last Watchdog's moment
    # Due at 31 1/12 s, sent 2 ms later at most, first token 0.1 to 0.14 s after that, then 10 ms for each token.
    assert 0.1 < other["seconds to first good answer"] < 1.5
    assert other["seconds to SLO restored"] == 0.0
    assert not {"detected within", "answers within", "detected by"} & set(other)


@pytest.mark.parametrize(
    ("fired", "state"),
    [
        (31.02, State.PASS),  # at once
        (38.0, State.PASS),  # 6.98 <= 10
        (41.02, State.PASS),  # 10 <= 10, though a float's 41.02 - 31.02 is a little more
        (41.5, State.FAIL),  # 10.48 > 10
        (None, State.FAIL),  # silent for 43.98 s > 10, with a Watchdog every 5 s
    ],
)
def test_the_platform_notices_when_the_alert_reaches_the_receiver(fired, state):
    verdict = judged(detected=10.0, bad={}, alerts=an_alert(fired=fired, cleared=None))
    assert verdict.state is state
    assert "allowed 10s." in verdict.sentence


def test_the_three_sentences_come_in_the_order_of_the_events():
    verdict = judged(answers=2.0, detected=10.0, alerts=an_alert(fired=38.0, cleared=46.0), edit=cut((STRUCK, 31.5)))
    assert verdict.state is State.PASS
    fired, answered, kept, rest = verdict.sentence.split(". ")[0], *verdict.sentence.split("; allowed ")[1:]
    assert fired.startswith("EngineDown fired 6.98s after the fault; allowed 10s")
    assert answered.startswith("10s. First good answer ")
    assert kept.startswith("2s. Kept again ")
    assert rest == "15s."
    other = verdict.evidence.other
    assert (other["detected by"], other["detected within"], other["answers within"]) == ("EngineDown", 10.0, 2.0)
    assert other["seconds to detect"] == pytest.approx(6.98)


def test_another_alert_is_enough_unless_one_is_named():
    alerts = an_alert("GatewayTtft", fired=35.0, cleared=None)
    assert judged(detected=10.0, bad={}, alerts=alerts).state is State.PASS
    named = judged(detected=10.0, by="EngineDown", bad={}, alerts=alerts)
    assert named.state is State.FAIL
    assert named.sentence.startswith("EngineDown did not fire for 43.98s after the fault; allowed 10s.")


def test_without_any_notification_detection_is_unknown_and_no_failure():
    verdict = judged(detected=10.0, bad={}, alerts=(), watchdog=False)
    assert verdict.state is State.UNKNOWN
    assert verdict.sentence.startswith("No alert was heard after the fault, not even the Watchdog")
    assert judged(bad={}, alerts=(), watchdog=False).state is State.PASS  # nobody asked about it


def test_the_judge_does_not_spoil_recovery_for_a_dead_alert_path_so_it_must_know_by_itself():
    scenario = a_scenario(expect=(expected(detected=10.0), replace(expected(), slo=a_ttft_slo())))
    asked, unasked = judge(a_timeline(scenario=scenario, alerts=(), watchdog=False)).verdicts
    assert (asked.state, unasked.state) == (State.UNKNOWN, State.PASS)


@pytest.mark.parametrize("last", [10.0, 31.0, 35.0, 41.0])
def test_silence_counts_only_while_something_is_heard(last):
    # Heard until 41 s at most: 41 - 31.02 = 9.98 s, and 10 are allowed.
    verdict = judged(detected=10.0, bad={}, alerts=some_watchdogs(last, every=1.0), watchdog=False)
    assert verdict.state is State.UNKNOWN


def test_a_path_that_was_dead_meanwhile_does_not_make_an_alert_late():
    # Nothing between 30 and 60 s: 30 s > 20 s. When it fired, nobody knows.
    path = (*some_watchdogs(30.0), firing(60.0), *(firing(t, "Watchdog") for t in (65.0, 70.0)))
    verdict = judged(detected=10.0, bad={}, alerts=path, watchdog=False)
    assert verdict.state is State.UNKNOWN
    assert "EngineDown fired 28.98s after the fault, but until then the alert path was heard for only" in (
        verdict.sentence
    )


def test_an_alert_that_was_firing_before_cannot_tell_of_the_fault():
    for alerts in ((firing(20.0),), (firing(20.0), firing(35.0)), (resolved(40.0),)):
        verdict = judged(detected=10.0, by="EngineDown", bad={}, alerts=alerts)
        assert verdict.state is State.UNKNOWN, alerts
        assert "was firing before the fault" in verdict.sentence
    again = (firing(20.0), resolved(25.0), firing(35.0))
    assert judged(detected=10.0, by="EngineDown", bad={}, alerts=again).state is State.PASS
    other_engine = (firing(20.0, instance="engine-1"), firing(35.0, instance="engine-2"))
    assert judged(detected=10.0, by="EngineDown", bad={}, alerts=other_engine).state is State.PASS


@pytest.mark.parametrize("t", [math.nan, math.inf, -math.inf])
def test_a_notification_without_a_time_proves_nothing(t):
    verdict = judged(detected=10.0, bad={}, alerts=(firing(t),))
    assert (verdict.state, verdict.evidence.other["seconds to detect"]) == (State.UNKNOWN, None)
    assert judged(detected=10.0, bad={}, alerts=(firing(t), firing(35.0, "GatewayDown"))).state is State.PASS


def test_a_record_that_ends_before_the_bound_proves_no_late_detection():
    # 43.98 s were watched, 60 s are allowed.
    assert judged(detected=60.0, bad={}, alerts=()).state is State.UNKNOWN


# Time to the first good answer


@pytest.mark.parametrize(
    ("until", "bound", "state"),
    [
        (31.0, 2.0, State.PASS),  # the first one due after 31.02 is good: within 1.5 s
        (32.5, 2.0, State.PASS),  # 1.48 s of bad ones, then a good one ends within a tenth
        (34.0, 2.0, State.FAIL),  # 2.98 s of bad ones
        (34.0, 4.0, State.PASS),
        (99.0, 40.0, State.FAIL),  # none for 43.98 s > 40
        (99.0, 60.0, State.UNKNOWN),  # none for 43.98 s, 60 are allowed: the record ends too early
    ],
)
def test_the_first_good_answer_comes_within_its_bound(until, bound, state):
    # The SLO's own bound is so wide that it never fails.
    assert judged(within=999.0, answers=bound, bad={}, edit=cut((STRUCK, until))).state is state


def test_an_answer_to_a_request_from_before_the_fault_is_no_sign_of_life():
    # Those due until 31 s end well after the fault, those due later never do.
    def only_old_ones(rows):
        return rows.assign(outcome=np.where(rows["due"] > STRUCK, "cut", "ok"))

    rows = a_timeline(bad={}, edit=only_old_ones).load.requests
    assert ((rows["outcome"] == "ok") & (rows["done"] > STRUCK)).any()
    verdict = judged(within=99.0, answers=2.0, bad={}, edit=only_old_ones)
    assert verdict.state is State.FAIL
    assert verdict.evidence.other["seconds to first good answer"] is None
    assert verdict.evidence.other["seconds to first good answer, more than"] == pytest.approx(43.98)


def test_a_good_answer_is_a_whole_one():
    # The TTFT SLO calls a quick first token good, though the answer was cut.
    verdict = judged(within=99.0, answers=2.0, slo=a_ttft_slo(), bad={}, edit=cut((STRUCK, 99.0)))
    assert verdict.state is State.FAIL
    assert "No good answer until 43.98s after the fault; allowed 2s." in verdict.sentence


def test_a_good_answer_is_good_by_the_slo():
    # 220 requests at 12/s start after 1.2 s at least, where 0.3 s are allowed: slow for 18 s after the fault.
    verdict = judged(within=99.0, answers=10.0, slo=a_ttft_slo(), bad={}, slow={"fault": 220})
    assert verdict.state is State.FAIL


def test_nobody_asked_so_nobody_could_be_answered():
    nothing = judged(answers=2.0, bad={}, edit=lambda rows: rows[rows["due"] < STRUCK])
    assert nothing.state is State.UNKNOWN
    assert "No request was due after the fault." in nothing.sentence
    # The first one due at 40 s: 8.98 s after the fault, 2 are allowed, so no answer could have been in time.
    late = judged(answers=2.0, bad={}, edit=lambda rows: rows[(rows["due"] < STRUCK) | (rows["due"] >= 40.0)])
    assert late.state is State.UNKNOWN
    assert "Nobody asked until 8.98s after the fault; allowed 2s." in late.sentence


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", ["due", "done"])
def test_times_that_are_no_numbers_answer_nothing(column, value):
    verdict = judged(within=99.0, answers=2.0, bad={}, edit=lambda rows: rows.assign(**{column: value}))
    assert verdict.state is not State.PASS
    assert verdict.evidence.other["seconds to first good answer"] is None


@pytest.mark.parametrize("t", [math.nan, math.inf])
def test_a_fault_without_a_time_gives_nothing_to_measure_from(t):
    verdict = judged(answers=2.0, detected=10.0, faults=fault_steps({**KILL, "applied": t}))
    assert verdict.state is State.UNKNOWN


def test_a_run_that_stopped_ends_its_record_there():
    # Interrupted at 33 s: 1.98 s of bad answers do not break a bound of 2 s, nor does the silence until then.
    whole = a_timeline(bad={}, alerts=(), edit=cut((STRUCK, 99.0)))
    events = tuple(one for one in whole.events if one.t < 33.0)
    stopped = tuple(one for one in whole.alerts if one.t < 33.0)
    rows = whole.load.requests.pipe(lambda rows: rows.assign(done=rows["done"].where(rows["done"] < 33.0)))
    short = replace(whole, events=events, alerts=stopped, load=replace(whole.load, requests=rows))
    assert expected(answers=2.0).judge(short).state is State.UNKNOWN
    assert expected(detected=2.0).judge(short).state is State.UNKNOWN
    assert expected(answers=2.0).judge(whole).state is State.FAIL


@pytest.mark.parametrize(
    ("wait", "state"),
    [
        (Wait(seconds=2.0, least=2.0), State.PASS),
        (Wait(seconds=2.1, least=2.1), State.FAIL),
        (Wait(seconds=2.1, least=1.0), State.UNKNOWN),  # it came too late, but when it came about is not known
        (Wait(seconds=None, least=1.9), State.UNKNOWN),
        (Wait(seconds=None, least=2.0), State.UNKNOWN),  # it may have come at this very moment
        (Wait(seconds=None, least=2.1), State.FAIL),
        (Wait(seconds=None, least=2.1, watched=2.05), State.UNKNOWN),
        (Wait(seconds=None, least=9.0, doubt="nobody knows"), State.UNKNOWN),
        (Wait(seconds=math.nan, least=math.nan), State.UNKNOWN),
        (Wait(seconds=math.nan, least=9.0, watched=math.nan), State.UNKNOWN),
    ],
)
def test_a_bound_of_two_seconds(wait, state):
    assert wait.within(2.0) is state


# The spec


@pytest.mark.parametrize(
    ("added", "what", "hint"),
    [
        ("detected-by: EngineDown", "nothing is asked of the alert", "add detected-within: 10s"),
        ("detected-within: 9s, detected-by: Watchdog", "the Watchdog always fires", None),
        ("detected-within: 0s", "nothing happens within 0s", "write a bound such as 2s"),
        ("answers-within: 0s", "nothing happens within 0s", "write a bound such as 2s"),
        ("answers-within: 2", "expected a duration such as 40s, got 2 without a unit", ""),
        ("answer-within: 2s", "unknown key 'answer-within'", "did you mean answers-within?"),
    ],
)
def test_a_bound_that_cannot_be_meant_is_a_problem(tmp_path, added, what, hint):
    path = write_project(tmp_path, scenario=("within: 15s}", f"within: 15s, {added}}}"))
    with pytest.raises(SpecError) as caught:
        load_scenario(path, tmp_path)
    assert what in [one.what for one in caught.value.problems]
    assert hint is None or hint in [one.hint for one in caught.value.problems]


def test_all_bounds_are_read(tmp_path):
    all_of_them = "within: 15s, answers-within: 2s, detected-within: 10s, detected-by: EngineDown}"
    path = write_project(tmp_path, scenario=("within: 15s}", all_of_them))
    found = next(one for one in load_scenario(path, tmp_path).expect if one.kind == "recovery")
    assert (found.within, found.answers_within, found.detected_within, found.detected_by) == (15, 2, 10, "EngineDown")
    assert found.id == "recovery:gateway/availability"


def test_the_three_numbers_reach_the_report_as_json():
    story = a_timeline(scenario=a_scenario(expect=(expected(answers=2.0, detected=10.0),)))
    other = json.loads(json.dumps(to_dict(judge(story))))["expectations"][0]["other"]
    assert {"seconds to detect", "seconds to first good answer", "seconds to SLO restored"} <= set(other)


# Laws

STORY = a_timeline(bad={})
BOUNDS = expected(within=20.0, answers=4.0, detected=10.0)


def later(timeline, by):
    """The same run with every time on its clock later by so many seconds."""
    rows = timeline.load.requests
    scenario = timeline.scenario
    return replace(
        timeline,
        scenario=replace(
            scenario, phases=tuple(replace(p, start=p.start + by, end=p.end + by) for p in scenario.phases)
        ),
        events=tuple(replace(one, t=one.t + by) for one in timeline.events),
        alerts=tuple(replace(one, t=one.t + by) for one in timeline.alerts),
        load=replace(
            timeline.load,
            requests=rows.assign(**{name: rows[name] + by for name in ("due", "sent", "first", "last", "done")}),
        ),
    )


def broken_until(until, fired):
    """Every request that ends after the fault and before `until` is cut; EngineDown fires at `fired`."""
    rows = cut((STRUCK, until))(STORY.load.requests)
    alerts = (*(one for one in STORY.alerts if one.name == "Watchdog"), firing(fired))
    return replace(STORY, load=replace(STORY.load, requests=rows), alerts=alerts)


@settings(max_examples=40, deadline=None)
@given(by=st.integers(-4000, 4000), until=st.floats(31.0, 80.0), fired=st.floats(31.1, 74.0))
def test_shifting_every_time_by_a_constant_changes_nothing(by, until, fired):
    # Times are kept to the millisecond, as a shift by thousands of seconds moves the last bits of a float.
    here = broken_until(until, round(fired, 3))
    before, after = BOUNDS.judge(here), BOUNDS.judge(later(here, by))
    assert after.state is before.state
    for name in ("seconds to detect", "seconds to first good answer", "seconds to SLO restored"):
        assert after.evidence.other[name] == pytest.approx(before.evidence.other[name], abs=0.0011)


ORDER = {State.PASS: 0, State.UNKNOWN: 1, State.FAIL: 2}


@settings(max_examples=60, deadline=None)
@given(until=st.floats(31.0, 80.0), more=st.floats(0.0, 50.0), fired=st.floats(31.1, 74.0))
def test_a_later_first_good_answer_never_turns_a_failure_into_a_pass(until, more, fired):
    alone = expected(within=20.0, answers=4.0)
    early, late = alone.judge(broken_until(until, fired)).state, alone.judge(broken_until(until + more, fired)).state
    assert (early, late) != (State.FAIL, State.PASS)
    assert late is not State.PASS or early is State.PASS


@given(fired=st.floats(31.02, 74.0), more=st.floats(0.0, 40.0), bound=st.floats(0.1, 60.0))
def test_a_later_alert_never_detects_better(fired, more, bound):
    dogs = some_watchdogs(75.0)
    early, late = (time_to_detect((*dogs, firing(t)), STRUCK).within(bound) for t in (fired, fired + more))
    assert ORDER[early] <= ORDER[late]


@given(kept=st.sets(st.integers(0, 15)), fired=st.floats(31.02, 74.0) | st.none(), bound=st.floats(0.1, 60.0))
def test_losing_notifications_of_the_watchdog_never_makes_a_failure(kept, fired, bound):
    # Fewer Watchdogs are less evidence: what they leave undecided may not be called late.
    dogs, alerts = some_watchdogs(75.0), (firing(fired),) if fired is not None else ()
    some = [one for index, one in enumerate(dogs) if index in kept]
    whole, part = (time_to_detect((*heard, *alerts), STRUCK).within(bound) for heard in (dogs, some))
    assert part is whole or (whole, part) == (State.FAIL, State.UNKNOWN)
