"""Was the client on time? The edges of each rule: which requests, beats and processes count, in which phase."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pandas as pd
import pytest

from holdfast import trust
from holdfast.model.scenario import Phase
from holdfast.model.verdict import State
from holdfast.testing import a_scenario, a_timeline

PASS, UNKNOWN = State.PASS, State.UNKNOWN
GOOD = a_timeline()
FAULT = GOOD.scenario.phase("fault")  # from second 30 to 50
LIMIT = 0.03  # a tenth of the tightest bound, 300 ms


def found(timeline):
    return trust.load_on_time(timeline)


def timed(dues, late=(), *, unsent=(), phases=None):
    """Requests due at these seconds; those whose place is in `late` left 100 ms late, those in `unsent` never."""
    rows = pd.concat([GOOD.load.requests.iloc[:1]] * len(dues), ignore_index=True)
    due = pd.Series([float(one) for one in dues])
    behind = pd.Series([0.1 if place in late else 0.0 for place in range(len(dues))])
    sent = (due + behind).where(~due.index.isin(list(unsent)))
    answered = {"first": due + 0.2, "last": due + 0.3, "done": due + 0.3}
    rows = rows.assign(id=range(len(dues)), due=due, sent=sent, **answered)
    scenario = replace(GOOD.scenario, phases=phases) if phases else GOOD.scenario
    return replace(GOOD, scenario=scenario, load=replace(GOOD.load, planned=len(dues), requests=rows))


def elsewhere(count):
    """So many requests in the recovery, all on time: enough that a late one elsewhere is lost among them."""
    return [50.0 + 25 * (place + 0.5) / count for place in range(count)]


def in_fault(count, last=49.9):
    return [*(30.0 + 19 * place / count for place in range(count - 1)), last]


# Of how many requests a quantile is one.


def test_a_single_request_is_a_whole_run():
    assert found(timed([40.0])).state is PASS
    assert found(timed([40.0], late=[0])).state is UNKNOWN


def test_fifty_requests_are_a_run_but_no_phase():
    assert found(timed(in_fault(50))).state is PASS


@pytest.mark.parametrize(("count", "state"), [(99, PASS), (100, UNKNOWN)])
def test_a_phase_has_a_p99_from_its_hundredth_request_on(count, state):
    # Two late of 100 in the phase are 2 %; of all 2,100 they are 0.1 %.
    assert found(timed([*in_fault(count), *elsewhere(2000)], late=[0, 1])).state is state


def test_a_request_that_is_due_when_a_phase_ends_is_the_next_ones():
    # 99 in the phase, and one at its very end: no p99, so the two that are late in it are lost among the others.
    assert found(timed([*in_fault(99), FAULT.end, *elsewhere(2000)], late=[0, 1])).state is PASS


def test_what_was_never_sent_does_not_make_a_phase_larger():
    assert found(timed([*in_fault(100), *elsewhere(2000)], late=[0, 1], unsent=[50])).state is PASS


# What is said: the whole run first, a phase only when the whole run hides it.


def some_beats(every, stretch, worst, usual=0.0):
    """Beats that often, the worst lag in this half-open stretch."""
    start, end = stretch
    times = [place * every for place in range(int(75 / every) + 1)]
    rows = [{**GOOD.load.beats.iloc[0].to_dict(), "t": t, "lag": worst if start < t <= end else usual} for t in times]
    return replace(GOOD, load=replace(GOOD.load, beats=pd.DataFrame(rows)))


def test_of_a_phase_that_is_just_at_the_limit_nothing_is_said():
    # 2 of 20 s at the limit: the phase's p95 is the limit, and the whole run's, 2 of 75 s, is nothing.
    check = found(some_beats(1.0, (35, 37), LIMIT))
    assert check.state is PASS
    assert "p95 loop lag 0" in check.seen
    assert "fault" not in check.seen


def test_a_phase_beyond_the_limit_counts_also_when_the_whole_run_is_just_at_it():
    check = found(some_beats(1.0, (35, 37), 0.05, usual=LIMIT))
    assert check.state is UNKNOWN
    assert "p95 loop lag 50ms (fault)" in check.seen


def test_a_phase_beyond_the_limit_is_named_when_the_whole_run_hides_it():
    assert "p95 loop lag 50ms (fault)" in found(some_beats(1.0, (35, 37), 0.05)).seen


def test_beats_four_times_a_second_count_by_their_quarters():
    # 1.5 of 20 s are 7.5 %, six beats; 0.75 s are 3.75 %.
    assert found(some_beats(0.25, (35, 36.5), 0.05)).state is UNKNOWN
    assert found(some_beats(0.25, (35, 35.75), 0.05)).state is PASS


@pytest.mark.parametrize(("length", "state"), [(4.75, PASS), (5.0, UNKNOWN)])
def test_a_phase_has_a_p95_of_its_lag_from_five_seconds_on(length, state):
    phases = (
        Phase(name="before", start=0.0, end=30.0, judged=True),
        Phase(name="short", start=30.0, end=30.0 + length, judged=True),
        Phase(name="after", start=30.0 + length, end=75.0, judged=True),
    )
    timeline = some_beats(0.25, (30, 31), 0.05)  # a fifth of the short phase, a thirtieth of what comes after
    assert found(replace(timeline, scenario=replace(timeline.scenario, phases=phases))).state is state


def test_a_loop_that_tells_nothing_for_its_last_second_and_a_half_was_not_late():
    # The last answer comes at 75.65, 1.9 s after the last beat. 1.25 of the last 20 s are 6 %: as lag, their p95.
    timeline = some_beats(0.25, (0, 0), 0.0)
    beats = timeline.load.beats
    phases = (Phase(name="first", start=0, end=55, judged=True), Phase(name="last", start=55, end=75, judged=True))
    load = replace(timeline.load, beats=beats[beats["t"] <= 73.75])
    assert found(replace(timeline, load=load, scenario=replace(timeline.scenario, phases=phases))).state is PASS


# A fleet: each process by itself.


def fleet(beats, requests=GOOD.load.requests, workers=2):
    """Two processes whose clocks are one; `beats` are (worker, keep, lag)."""
    known = [
        GOOD.load.beats.assign(lag=lag, worker=float(worker))[lambda rows, keep=keep: keep(rows["t"])]
        for worker, keep, lag in beats
    ]
    told = [
        {"index": index, "state": state, "t": 1.0, "offset": 0.0, "uncertainty": 0.0}
        for state in ("joined", "left")
        for index in range(workers)
    ]
    scenario = replace(GOOD.scenario, load=replace(GOOD.scenario.load, workers=workers))
    load = replace(GOOD.load, beats=pd.concat(known, ignore_index=True), requests=requests, workers=tuple(told))
    return replace(GOOD, scenario=scenario, load=load)


def always(t):
    return t >= 0


def test_clocks_that_are_known_exactly_are_known_well_enough():
    assert found(fleet([(0, always, 0.001), (1, always, 0.001)])).state is PASS


def test_a_process_beyond_those_that_were_planned_counts_too():
    assert found(fleet([(0, always, 0.0), (1, always, 0.0), (2, always, 0.2)])).state is UNKNOWN


def test_a_process_that_falls_silent_while_its_requests_go_on_was_away():
    silent = fleet([(0, always, 0.0), (1, lambda t: t < 60, 0.0)])
    assert found(silent).state is UNKNOWN


def test_a_process_whose_requests_have_ended_may_fall_silent():
    # Requests go by their number to one process or the other; those of the second end at second 60.
    rows = GOOD.load.requests
    early = rows[(rows["id"] % 2 == 0) | (rows["done"] < 60)]
    assert found(fleet([(0, always, 0.0), (1, lambda t: t <= 61, 0.0)], early)).state is PASS


# What is said of the processor, and of loads that ask for nothing.


def busy(times, cpu):
    rows = [{**GOOD.load.beats.iloc[0].to_dict(), "t": float(t), "lag": 0.2, "cpu": cpu} for t in times]
    return replace(GOOD, load=replace(GOOD.load, beats=pd.DataFrame(rows)))


def test_a_late_client_says_how_much_of_a_core_it_had():
    assert found(busy(range(76), 0.2)).seen.endswith(", with 20% of a core")
    assert found(busy([0.0, 1.0], 0.2)).seen.endswith(", with 20% of a core")
    assert found(busy([0.0, 0.25], 0.2)).seen.endswith(", with 20% of a core")
    # One beat spans no time, so it says nothing of the processor.
    assert found(busy([0.0], 0.2)).seen.endswith("p95 loop lag 1m15.651s")


@pytest.mark.parametrize("times", [[0.0], [3.0, 3.0]])
def test_of_a_client_that_never_told_how_long_it_took_nothing_is_said(times):
    assert re.fullmatch(r"p99 lateness \S+, p95 loop lag \S+", found(busy(times, 0.2)).seen)


def test_a_client_that_does_not_know_its_processor_says_nothing_of_it():
    assert "core" not in found(busy(range(76), math.nan)).seen


def test_the_reason_says_what_the_limit_is_a_tenth_of():
    assert "the tightest latency bound" in found(GOOD).reason
    assert "the median time to a first token" in found(replace(GOOD, scenario=a_scenario(expect=()))).reason


def test_of_many_lost_workers_the_first_two_are_named():
    lost = [{"index": index, "state": "lost", "t": 33.2, "why": "gone"} for index in range(3)]
    seen = trust.load_offered(replace(GOOD, load=replace(GOOD.load, workers=tuple(lost)))).seen
    assert "worker 1" in seen
    assert "worker 2" not in seen
