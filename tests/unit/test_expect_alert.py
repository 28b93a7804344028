"""`alert`: it reaches the receiver soon after the fault, rightly labelled, and clears; or it stays silent."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import write_project
from holdfast.errors import SpecError
from holdfast.expect.alert import (
    AlertFires,
    AlertSilent,
    Firing,
    elapsed,
    firings,
    heard_until,
    longest_gap,
    record_end,
    untimed,
)
from holdfast.judge import judge
from holdfast.model.timeline import AlertEvent
from holdfast.model.verdict import State
from holdfast.project import load_scenario
from holdfast.testing import KILL, a_place, a_scenario, a_timeline, an_alert, fault_steps, some_watchdogs

# The fault is applied at 31.02 s and gone at 36.5 s; the record ends at 75 s.


def judged(alerts, *, severity="page", fires=10.0, clears=30.0, **story):
    expectation = AlertFires(
        alert="EngineDown", severity=severity, fires_within=fires, clears_within=clears, where=a_place()
    )
    return expectation.judge(a_timeline(alerts=alerts, **story))


@pytest.mark.parametrize(
    ("fired", "cleared", "state"),
    [
        (38.0, 46.0, State.PASS),  # 38 - 31.02 = 7 <= 10; 46 - 36.5 = 9.5 <= 30
        (41.0, 46.0, State.PASS),  # 9.98 <= 10
        (42.0, 46.0, State.FAIL),  # 11 > 10
        (38.0, 67.0, State.FAIL),  # 67 - 36.5 = 30.5 > 30
        (38.0, None, State.FAIL),  # 75 - 36.5 = 38.5 s went by, 30 were allowed
        (None, None, State.FAIL),
        (38.0, 36.2, State.PASS),  # cleared before the fault was seen gone: at once
    ],
)
def test_times_are_measured_from_the_fault(fired, cleared, state):
    alerts = an_alert(fired=fired, cleared=cleared)
    if cleared is not None and fired is not None and cleared < fired:
        alerts = an_alert(fired=35.0, cleared=cleared)
    assert judged(alerts).state is state


def test_a_record_that_ends_before_the_bound_does_not_decide():
    # 75 - 36.5 = 38.5 < 60
    verdict = judged(an_alert(fired=38.0, cleared=None), clears=60.0)
    assert verdict.state is State.UNKNOWN
    assert verdict.sentence.endswith("It had not cleared when the record ended; allowed 1m.")


def test_one_that_fires_again_has_not_cleared():
    again = AlertEvent(t=60.0, name="EngineDown", status="firing", severity="page")
    assert judged((*an_alert(fired=38.0, cleared=46.0), again)).state is State.FAIL


def test_the_severity_must_be_the_one_expected():
    verdict = judged(an_alert(fired=38.0, cleared=46.0, severity="ticket"))
    assert verdict.state is State.FAIL
    assert "Its severity is ticket, expected page." in verdict.sentence
    assert judged(an_alert(fired=38.0, cleared=46.0, severity="ticket"), severity=None).state is State.PASS
    assert judged(an_alert(fired=38.0, cleared=46.0, severity="")).state is State.FAIL


def test_an_alert_from_before_the_fault_does_not_count():
    assert judged(an_alert(fired=20.0, cleared=25.0)).state is State.FAIL


def test_another_alert_does_not_count():
    assert judged(an_alert("GatewayDown", fired=38.0, cleared=46.0)).state is State.FAIL


def test_without_a_fault_no_alert_was_due():
    assert judged(an_alert(fired=38.0, cleared=46.0), faults=()).state is State.UNKNOWN


def test_a_fault_never_seen_gone_gives_no_reason_to_clear():
    steps = {name: t for name, t in KILL.items() if name != "gone"}
    assert judged(an_alert(fired=38.0, cleared=None), faults=fault_steps(steps)).state is State.UNKNOWN
    assert judged((), faults=fault_steps(steps)).state is State.FAIL  # but it had to fire


def test_firing_alone_may_be_asked():
    assert judged(an_alert(fired=38.0, cleared=None), clears=None).state is State.PASS
    assert judged(an_alert(fired=74.0, cleared=None), fires=None, clears=None).state is State.PASS


def notice(t, status="firing", name="EngineDown", severity="page", **labels):
    return AlertEvent(t=t, name=name, status=status, severity=severity, labels=labels)


def test_of_several_severities_only_the_one_asked_for_counts():
    # An SLO's ticket has the lower threshold, and may come first.
    ticket = an_alert(fired=35.0, cleared=60.0, severity="ticket")
    verdict = judged((*ticket, *an_alert(fired=38.0, cleared=46.0)))
    assert verdict.state is State.PASS
    assert "EngineDown fired 7s after the fault" in verdict.sentence
    assert judged(ticket, severity="page").state is State.FAIL
    # A ticket that never clears takes nothing from a page that did.
    never = (notice(35.0, severity="ticket"), *an_alert(fired=38.0, cleared=46.0))
    assert judged(never).state is State.PASS


def test_it_has_cleared_when_every_one_of_that_name_has():
    # Both engines fire; only the first is heard to be over, last of all.
    both = (notice(38.0, instance="engine-1"), notice(38.5, instance="engine-2"))
    one = (*both, notice(46.0, "resolved", instance="engine-1"))
    assert judged(one).state is State.FAIL
    two = (*one, notice(50.0, "resolved", instance="engine-2"))
    verdict = judged(two)
    assert (verdict.state, verdict.evidence.other["seconds to clear"]) == (State.PASS, 13.5)  # 50 - 36.5


def test_one_that_was_firing_before_the_fault_cannot_tell_of_it():
    repeated = (notice(20.0), notice(35.0), notice(46.0, "resolved"))
    verdict = judged(repeated)
    assert verdict.state is State.UNKNOWN
    assert verdict.sentence.startswith("EngineDown was firing before the fault, so it could not tell of it.")
    assert judged((notice(46.0, "resolved"),)).state is State.UNKNOWN  # nobody heard it begin


def test_a_record_too_short_for_the_bound_does_not_call_it_silent():
    # 75 - 31.02 = 43.98 s were seen.
    assert judged((), fires=40.0).state is State.FAIL
    verdict = judged((), fires=60.0)
    assert verdict.state is State.UNKNOWN
    assert verdict.sentence == "EngineDown had not fired when the record ended; allowed 1m."


@pytest.mark.parametrize("t", [math.nan, math.inf, -math.inf])
def test_a_notification_without_a_time_is_never_a_pass(t):
    assert judged((*an_alert(fired=38.0, cleared=46.0), notice(t))).state is State.UNKNOWN
    assert judged((*an_alert(fired=48.0, cleared=56.0), notice(t))).state is State.FAIL  # late all the same
    assert silent(alerts=(notice(t),)).state is State.UNKNOWN


@pytest.mark.parametrize("t", [math.nan, math.inf])
def test_a_fault_without_a_time_decides_nothing(t):
    alerts = an_alert(fired=38.0, cleared=46.0)
    assert judged(alerts, faults=fault_steps({**KILL, "applied": t})).state is State.UNKNOWN
    assert judged(alerts, faults=fault_steps({**KILL, "gone": t})).state is State.UNKNOWN


# Silence. baseline lasts from 10 to 30 s, fault to 50 s, recovery to 75 s; the Watchdog is heard every 5 s.


def silent(*during, alert="EngineDown", **story):
    return AlertSilent(alert=alert, during=during, where=a_place()).judge(a_timeline(**story))


def test_an_alert_that_is_not_heard_while_the_path_is_stays_silent():
    verdict = silent(alerts=())
    assert (verdict.state, verdict.sentence) == (
        State.PASS,
        "EngineDown stayed silent, and the alert path was heard.",
    )
    assert verdict.evidence.other == {"watchdogs heard": 16, "longest gap between them, seconds": 5.0}  # 0, 5, ... 75


def test_no_fault_is_needed():
    assert silent(scenario=a_scenario(chaos=None)).state is State.PASS


def test_one_that_fires_was_not_silent():
    verdict = silent(alerts=an_alert(fired=38.0, cleared=46.0))
    assert verdict.state is State.FAIL
    assert verdict.sentence == "EngineDown fired at second 38.0; it had to stay silent."


@pytest.mark.parametrize("watchdog", [True, False])
def test_another_alert_breaks_no_silence_but_proves_no_path_either(watchdog):
    alerts = tuple(notice(t, name="GatewayDown") for t in range(0, 76, 5))
    assert silent(alerts=alerts, watchdog=watchdog).state is (State.PASS if watchdog else State.UNKNOWN)


def test_the_silence_of_a_dead_path_is_no_silence():
    verdict = silent(alerts=(), watchdog=False)
    assert (verdict.state, verdict.sentence) == (
        State.UNKNOWN,
        "EngineDown was not heard, but neither was the Watchdog at all.",
    )
    # It fired all the same, says one notification: that needs no other proof.
    assert silent(alerts=an_alert(fired=38.0, cleared=None), watchdog=False).state is State.FAIL


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (55.0, State.PASS),  # 75 - 55 = 20 s without
        (50.0, State.UNKNOWN),  # 25 s
    ],
)
def test_the_path_must_be_heard_to_the_end(last, state):
    assert silent(alerts=some_watchdogs(last), watchdog=False).state is state


@pytest.mark.parametrize(
    ("fired", "cleared", "phase", "state"),
    [
        (38.0, 46.0, "baseline", State.PASS),
        (38.0, 46.0, "fault", State.FAIL),
        (38.0, 46.0, "recovery", State.PASS),
        (38.0, 52.0, "recovery", State.FAIL),  # firing from before, until 52 s
        (38.0, None, "recovery", State.FAIL),  # firing from before, and never over
        (None, 46.0, "fault", State.FAIL),  # resolved, so it was firing
        (None, 46.0, "baseline", State.FAIL),  # since before the record began, so through all of it
        (None, 46.0, "recovery", State.PASS),
        (8.0, 10.0, "baseline", State.PASS),  # over when the phase begins
        (74.9, None, "recovery", State.FAIL),
    ],
)
def test_silence_may_be_asked_of_some_phases(fired, cleared, phase, state):
    assert silent(phase, alerts=an_alert(fired=fired, cleared=cleared)).state is state


def test_the_whole_run_lasts_from_its_first_second_to_the_last_notification():
    assert silent(alerts=an_alert(fired=-2.0, cleared=-1.0)).state is State.PASS
    assert silent(alerts=an_alert(fired=-2.0, cleared=None)).state is State.FAIL
    assert silent(alerts=an_alert(fired=77.0, cleared=None)).state is State.FAIL
    assert silent("recovery", alerts=an_alert(fired=77.0, cleared=None)).state is State.PASS


def test_each_engine_is_its_own_alert():
    alerts = (notice(38.0, instance="engine-1"), notice(46.0, "resolved", instance="engine-2"))
    assert silent("recovery", alerts=alerts).state is State.FAIL  # engine-1 is firing still


@pytest.mark.parametrize("status", ["", "FIRING", "suppressed"])
def test_a_status_that_nobody_knows_is_not_silence(status):
    assert silent(alerts=(notice(38.0, status),)).state is State.FAIL


def test_a_run_that_stopped_was_not_silent_to_its_end():
    whole = a_timeline(alerts=())
    stopped = replace(whole, events=tuple(one for one in whole.events if one.t < 60.0))
    asked = [AlertSilent(alert="EngineDown", during=names, where=a_place()) for names in ((), ("baseline",))]
    assert [one.judge(stopped).state for one in asked] == [State.UNKNOWN, State.PASS]
    assert "the record ends at second 50.0" in asked[0].judge(stopped).sentence  # the last event: a phase began


def test_names_are_unique_and_readable():
    during = AlertSilent(alert="EngineDown", during=("baseline", "recovery"), where=a_place())
    always = AlertSilent(alert="EngineDown", where=a_place())
    fires = AlertFires(alert="EngineDown", fires_within=9.0, where=a_place())
    assert [fires.id, always.id, during.id] == [
        "alert:EngineDown",
        "alert:EngineDown silent",
        "alert:EngineDown silent[baseline,recovery]",
    ]


def test_a_dead_path_spoils_silence_for_the_judge_too():
    scenario = a_scenario(expect=(AlertSilent(alert="EngineDown", where=a_place()),))
    assert judge(a_timeline(scenario=scenario, alerts=(), watchdog=False)).verdicts[0].state is State.UNKNOWN


# The spec


ASKED = "{alert: EngineDown, severity: page, fires-within: 15s, clears-within: 20s}"


@pytest.mark.parametrize(
    ("new", "what", "hint"),
    [
        ("stays-silent: true, severity: page", "stays-silent excludes severity", "ask for the one or the other"),
        ("stays-silent: true, fires-within: 9s", "stays-silent excludes fires-within", "ask for the one or the other"),
        ("stays-silent: true, clears-within: 9s", "stays-silent excludes clears-within", None),
        ("stays-silent: true, during: [basline]", "no phase named 'basline'", "did you mean baseline?"),
        ("stays-silent: true, during: [warmup]", "phase 'warmup' is not judged", None),
        ("stays-silent: true, during: []", "expected at least one item", ""),
        ("stays-silent: 1", "expected true or false, got 1", ""),
        ("stays-silent: false", "nothing is asked of the alert", None),
        ("fires-within: 9s, during: [fault]", "during goes with stays-silent alone", "firing is timed from the fault"),
    ],
)
def test_what_cannot_be_meant_is_a_problem(tmp_path, new, what, hint):
    path = write_project(tmp_path, scenario=(ASKED, f"{{alert: EngineDown, {new}}}"))
    with pytest.raises(SpecError) as caught:
        load_scenario(path, tmp_path)
    [problem] = caught.value.problems
    assert problem.what == what
    assert hint in (None, problem.hint)


def test_the_watchdog_is_no_alert_to_ask_about(tmp_path):
    path = write_project(tmp_path, scenario=(ASKED, "{alert: Watchdog, stays-silent: true}"))
    with pytest.raises(SpecError, match="the Watchdog always fires"):
        load_scenario(path, tmp_path)


@pytest.mark.parametrize("during", [(), ("baseline", "recovery")])
def test_silence_is_read(tmp_path, during):
    more = f", during: [{', '.join(during)}]" if during else ""
    path = write_project(tmp_path, scenario=(ASKED, f"{{alert: GatewayTtft, stays-silent: true{more}}}"))
    found = next(one for one in load_scenario(path, tmp_path).expect if one.kind == "alert")
    assert (found.alert, found.during) == ("GatewayTtft", during)


# What was heard, by hand


@pytest.mark.parametrize(
    ("told", "stretches"),
    [
        ("", []),
        ("+1", [(1, math.inf)]),
        ("+1 -3", [(1, 3)]),
        ("+1 +2 -3", [(1, 3)]),  # a repeat
        ("+1 -3 +5", [(1, 3), (5, math.inf)]),
        ("-3", [(-math.inf, 3)]),
        ("-3 +5 -6", [(-math.inf, 3), (5, 6)]),
        ("+1 -3 -6", [(1, 6)]),  # it says that it was firing until 6
        ("-6 +1", [(1, 6)]),  # in the order of their times
    ],
)
def test_notifications_become_stretches(told, stretches):
    events = [notice(float(one[1:]), "firing" if one[0] == "+" else "resolved") for one in told.split()]
    assert [(one.since, one.until) for one in firings(events, "EngineDown")] == stretches


def test_the_watchdog_is_left_out_unless_it_is_named():
    events = (notice(1.0, name="Watchdog"), notice(2.0), notice(math.nan, name="Watchdog"))
    assert [one.name for one in firings(events)] == ["EngineDown"]
    assert firings(events, "Watchdog") == (Firing(name="Watchdog", severity="page", since=1.0, until=math.inf),)
    assert (untimed(events), untimed(events, "Watchdog")) == (False, True)


@pytest.mark.parametrize(
    ("times", "until"), [([], 10), ([5], 10), ([30], 30), ([31], 10), ([12, 32, 50], 50), ([12, 33, 50], 12)]
)
def test_how_long_the_path_was_heard_from_second_10(times, until):
    assert heard_until(times, 10.0) == until


@pytest.mark.parametrize(
    ("times", "gap"),
    [
        ([], math.inf),
        ([15], 5),  # 10 to 15, 15 to 20
        ([13, 14], 6),
        ([5, 15, 22], 10),  # 5 to 15: one neighbour lies outside
        ([2, 40], 38),  # both do
        ([2], 18),  # the other side ends at the window
    ],
)
def test_the_longest_gap_that_touches_seconds_10_to_20(times, gap):
    assert longest_gap(times, 10.0, 20.0) == gap


def test_a_record_ends_with_the_scenario_or_with_its_last_event():
    whole = a_timeline()
    assert record_end(whole) == 75.0
    assert record_end(replace(whole, events=tuple(one for one in whole.events if one.t <= 31.1))) == 31.1
    assert record_end(replace(whole, events=())) == 0.0


def test_a_difference_is_no_longer_than_its_bound_for_a_floats_sake():
    assert 41.02 - 31.02 > 10.0
    assert elapsed(31.02, 41.02) == 10.0


# Laws

TIMES = st.floats(-3.0, 77.0).map(lambda t: round(t, 3))
HEARD = st.lists(st.tuples(TIMES, st.sampled_from(["firing", "resolved"]), st.sampled_from(["a", "b"])), max_size=6)
DURING = st.sampled_from([(), ("baseline",), ("fault", "recovery")])
STORY = a_timeline(alerts=())


def told(alerts, during, dogs=True, by=0.0):
    """The verdict on silence when these were heard, with every time moved by so many seconds."""
    phases = tuple(replace(one, start=one.start + by, end=one.end + by) for one in STORY.scenario.phases)
    every = (*alerts, *(some_watchdogs(75.0) if dogs else ()))
    moved = replace(
        STORY,
        scenario=replace(STORY.scenario, phases=phases),
        events=tuple(replace(one, t=one.t + by) for one in STORY.events),
        alerts=tuple(replace(one, t=one.t + by) for one in every),
    )
    return AlertSilent(alert="EngineDown", during=during, where=a_place()).judge(moved).state


def notices(drawn):
    return [notice(t, status, instance=instance) for t, status, instance in drawn]


@settings(deadline=None)
@given(HEARD, DURING, st.integers(-4000, 4000))
def test_shifting_every_time_by_a_constant_changes_nothing(drawn, during, by):
    assert told(notices(drawn), during, by=float(by)) is told(notices(drawn), during)


@settings(deadline=None)
@given(HEARD, DURING, st.randoms(use_true_random=False))
def test_the_order_in_the_record_changes_nothing(drawn, during, random):
    # Two notices of one alert at the same millisecond have no order but the record's.
    apart = list({(t, instance): (t, status, instance) for t, status, instance in drawn}.values())
    mixed = random.sample(apart, len(apart))
    assert told(notices(mixed), during) is told(notices(apart), during)


@settings(deadline=None)
@given(HEARD, DURING)
def test_without_the_watchdog_silence_is_never_proved_and_noise_always(drawn, during):
    with_dogs, without = told(notices(drawn), during), told(notices(drawn), during, dogs=False)
    assert without is (State.FAIL if with_dogs is State.FAIL else State.UNKNOWN)


@settings(deadline=None)
@given(HEARD, st.floats(0.0, 74.9))
def test_one_more_firing_is_never_silence(drawn, t):
    assert told([*notices(drawn), notice(t, instance="c")], ()) is State.FAIL


@given(HEARD)
def test_stretches_of_one_alert_come_in_order_and_do_not_overlap(drawn):
    for instance in ("a", "b"):
        mine = [one for one in drawn if one[2] == instance]
        found = firings(notices(mine), "EngineDown")
        assert all(one.since <= one.until for one in found)
        assert all(before.until <= after.since for before, after in pairwise(found))
