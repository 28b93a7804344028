"""`stop: early`: a phase ends when all that looks at it is settled, the load with the last one; in virtual time."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from examples import write_project
from holdfast import trust
from holdfast.judge import judge
from holdfast.model.scenario import SHORTEST
from holdfast.model.verdict import State
from holdfast.project import load_scenario
from stage import Stage, bad, good

HEAD = """\
apiVersion: holdfast/v1
kind: Scenario
metadata: {name: early, title: As long as it takes}
seed: 7
stop: early
load: chat-peak
"""
CALM = """\
phases:
  - {name: warmup, for: 5s, judged: false}
  - {name: baseline, for: 300s}
expect:
  - {slo: gateway/availability, during: [baseline], objective: 95%}
"""
STRUCK = """\
phases:
  - {name: baseline, for: 120s}
  - {name: fault, for: 20s, chaos: engine-kill}
  - {name: recovery, for: 200s}
expect:
  - {slo: gateway/availability, during: [baseline, recovery], objective: 90%}
  - {recovery: gateway/availability, within: 15s}
"""


@pytest.fixture
def stage(tmp_path):
    """A run of the scenario that this text describes, ready to be played."""

    def make(text, **ways):
        path = write_project(tmp_path / "project")
        path.write_text(HEAD + text)
        return Stage(tmp_path / "runs" / "one", load_scenario(path, tmp_path / "project"), **ways)

    return make


def edges(timeline):
    """(name, start, end, early?) of each phase as it was written down."""
    told = timeline.of("phase")
    return [(one.data["name"], one.t, two.t, two.data.get("early", False)) for one, two in pairwise(told)][::2]


def lengths(timeline):
    return {phase.name: phase.length for phase in timeline.scenario.phases}


def asked(check, timeline):
    found = check(timeline)
    return found.state, found.seen


def state(timeline, kind):
    return [one.judge(timeline).state for one in timeline.scenario.expect if one.kind == kind]


def test_a_service_that_holds_is_proved_long_before_the_planned_end(stage):
    played = stage(CALM)
    timeline = played.play()
    # 20 seconds of requests are needed before bursts can be seen at all, and some 70 independent good ones for 95 %.
    assert lengths(timeline)["warmup"] == pytest.approx(5, abs=0.2)
    assert 20 <= lengths(timeline)["baseline"] < 40
    assert state(timeline, "slo") == [State.PASS]
    assert timeline.scenario.phase("baseline").planned == 300
    assert asked(trust.phases_kept, timeline) == (State.PASS, "every phase in its turn, 1 ended early")
    assert trust.load_offered(timeline).state is State.PASS
    # The verdict rests on hundreds of requests, the plan had 305 s x 12/s.
    assert len(timeline.load.requests) < 600
    assert timeline.load.planned > 3000


def test_one_that_breaks_is_disproved_as_early(stage):
    timeline = stage(CALM, story=bad).play()
    assert lengths(timeline)["baseline"] < 30
    assert state(timeline, "slo") == [State.FAIL]
    assert trust.load_offered(timeline).state is State.PASS


def test_one_of_which_nothing_can_be_said_takes_all_of_its_time(stage):
    # Every 20th request is bad, which is just what is allowed.
    timeline = stage(CALM, story=lambda one: bad(one) if round(one.due * 1e6) % 20 == 0 else good(one)).play()
    assert lengths(timeline)["baseline"] == pytest.approx(300, abs=0.2)
    assert [early for *_, early in edges(timeline)] == [False, False]
    assert timeline.of("load", step="cut") == []
    assert asked(trust.phases_kept, timeline)[0] is State.PASS
    assert trust.load_offered(timeline).state is State.PASS


def test_the_same_scenario_without_it_runs_to_its_planned_end(stage):
    played = stage(CALM)
    played.scenario = replace(played.scenario, stop="end")
    played.play()
    told = [json.loads(line) for line in (played.folder / "events.ndjson").read_text().splitlines()]
    assert [one["t"] for one in told if one["kind"] == "phase"] == pytest.approx([0, 5, 5, 305], abs=0.2)
    assert not any(one.get("early") for one in told)


def test_the_load_offers_exactly_what_was_due_before_the_cut(stage):
    played = stage(CALM)
    timeline = played.play()
    (cut,) = timeline.of("load", step="cut")
    offered = timeline.load.requests["due"]
    assert offered.tolist() == [one.due for one in played.arrivals if one.due < cut.data["until"]]
    assert cut.data["expected"] == len(offered)
    # It is told before: half a second is more than the quarter within which a generator that waits looks.
    assert 0.4 <= cut.data["until"] - cut.t <= 0.7
    assert cut.data["until"] == pytest.approx(timeline.scenario.length, abs=0.2)


def test_requests_under_way_still_end_and_count(stage):
    timeline = stage(CALM, story=lambda one: {**good(one), "done": one.due + 4.0}).play()
    requests = timeline.load.requests
    assert (requests["outcome"] == "ok").all()
    assert requests["done"].max() > timeline.scenario.length + 3


def test_a_generator_that_did_not_hear_is_found_out(stage):
    timeline = stage(CALM, deaf=True).play()
    state, seen = asked(trust.load_offered, timeline)
    assert state is State.UNKNOWN
    assert "after the load was cut" in seen


def test_the_second_witness_is_asked_about_the_phases_as_played(stage):
    played = stage(CALM)
    timeline = played.play()
    assert played.metrics_of.phases == timeline.scenario.phases


def test_slow_requests_hold_the_decision_back_however_good_those_behind_them_are(stage):
    # The first request of the baseline hangs for 100 s: nothing behind it may be looked at until it has ended.
    hung = []

    def story(one):
        if one.due >= 6 and not hung:
            hung.append(one.due)
        return {**good(one), "done": one.due + 100} if one.due in hung else good(one)

    timeline = stage(CALM, story=story).play()
    assert lengths(timeline)["baseline"] >= 100


def test_around_a_fault_the_phases_after_it_follow_at_once_and_the_fault_gets_its_full_time(stage):
    timeline = stage(STRUCK).play()
    found = lengths(timeline)
    assert found["baseline"] < 60
    assert found["fault"] == pytest.approx(20, abs=0.2)
    baseline, fault, recovery = timeline.scenario.phases
    assert (baseline.end, fault.end) == (fault.start, recovery.start)
    applied = timeline.first("fault", step="applied")
    assert applied.t == pytest.approx(fault.start + 2, abs=0.3)
    assert applied.data["phase"] == "fault"
    # Recovery needs within + 5 s after the fault: 2 + 20 s of them are no more than the fault's phase and this minimum.
    assert found["recovery"] >= SHORTEST
    assert found["recovery"] < 20
    assert timeline.scenario.length >= applied.t + 15 + 5
    assert state(timeline, "recovery") == [State.PASS]
    assert trust.fault_bit(timeline).state is State.PASS


def test_what_is_measured_from_the_fault_is_waited_for_by_time_alone(stage):
    timeline = stage(STRUCK.replace("within: 15s", "within: 60s")).play()
    applied = timeline.first("fault", step="applied")
    # Good from the first moment on, and still nobody looks at that: 60 s of bound, 5 s to see that it stays.
    assert timeline.scenario.length >= applied.t + 65
    assert timeline.scenario.length < applied.t + 70


def test_a_phase_does_not_end_while_the_experiment_is_still_being_played(stage):
    timeline = stage(STRUCK, lasts=50).play()
    gone = timeline.first("fault", step="gone")
    assert timeline.scenario.length > gone.t


def test_a_phase_that_nothing_names_takes_its_time(stage):
    text = CALM.replace("300s}\n", "300s}\n  - {name: rest, for: 40s}\n")
    assert lengths(stage(text).play())["rest"] == pytest.approx(40, abs=0.2)


def test_silence_is_asked_for_the_time_that_the_scenario_gave_it(stage):
    text = CALM + "  - {alert: GatewayAvailability, stays-silent: true, during: [baseline]}\n"
    assert lengths(stage(text).play())["baseline"] == pytest.approx(300, abs=0.2)


def test_among_several_questions_a_failure_is_waited_for_until_it_is_none_by_chance(stage):
    text = CALM + "  - {slo: gateway/ttft, during: [baseline]}\n"
    # Four in ten are bad: both objectives of 95 % break, and either must stand beside the other at half of alpha.
    timeline = stage(text, story=lambda one: bad(one) if round(one.due * 1e6) % 10 < 4 else good(one)).play()
    verdicts = [one for one in judge(timeline).verdicts if one.kind == "slo"]
    assert lengths(timeline)["baseline"] < 60
    assert all("Asked alone" not in one.sentence for one in verdicts)
    assert state(timeline, "slo") == [State.FAIL, State.FAIL]


def test_a_person_sees_what_ended_and_why(stage):
    played = stage(CALM)
    played.play()
    note = played.seen[-1].note
    assert note.startswith("baseline ends after ")
    assert note.endswith(" of 5m: settled slo:gateway/availability[baseline]")
    # What is left shrinks to nothing when the phase ends, not at the planned 305 s.
    assert played.seen[-1].total_left == 0
    assert max(one.t for one in played.seen) < 60


def test_looks_are_rare():
    from holdfast.early import Looks

    looks = Looks()
    # A day at 100 requests/s, asked every tenth of a second for the first hour.
    seen = [tick / 10 for tick in range(36_000) if looks.due(tick / 10, tick * 10)]
    assert min(late - early for early, late in pairwise(seen)) >= 1
    # Once a second for the first 50 s or so, then each 2 % later than the one before: ln(3600 / 50) / ln(1.02) = 216.
    assert len(seen) < 50 + 216 + 20
