"""Laws of phases as they were played: whatever times are written down, each moment lies in one phase or in the plan."""

from __future__ import annotations

import math

from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.model.scenario import SHORTEST, SLIP
from holdfast.testing import a_scenario

PLAN = a_scenario(lengths={"warmup": 10.0, "baseline": 60.0, "fault": 20.0, "recovery": 60.0}, stop="early")
ENDS = (10.0, 70.0, 90.0, 150.0)
AS_PLANNED = [(0.0, 10.0), (10.0, 70.0), (70.0, 90.0), (90.0, 150.0)]

any_time = st.floats(allow_nan=True, allow_infinity=True)
near = st.floats(-1.0, 200.0)
edges = st.lists(st.tuples(near | any_time, near | any_time), max_size=6)


@st.composite
def sound(draw):
    """Edges as a run writes them: a little late, the phases that may be shortened cut anywhere beyond the minimum."""
    found, now = [], 0.0
    for phase in PLAN.phases:
        start = now + draw(st.floats(0, SLIP / 4))
        least = SHORTEST if phase.may_end_early else phase.longest
        now = start + draw(st.floats(least, phase.longest)) + draw(st.floats(0, SLIP / 4))
        found.append((start, now))
    return found


@given(edges)
@example(AS_PLANNED)
def test_whatever_is_written_the_phases_are_those_of_the_plan_or_make_sense(times):
    played = PLAN.as_played(times)
    if played == PLAN:
        return
    before = 0.0
    for phase, planned in zip(played.phases, PLAN.phases, strict=True):
        assert phase.start == before
        assert phase.planned == planned.length
        assert planned.shortest - SLIP <= phase.length <= planned.length + SLIP
        assert (phase.name, phase.judged, phase.chaos) == (planned.name, planned.judged, planned.chaos)
        before = phase.end
    assert played.length == times[-1][1]


@given(sound())
def test_what_a_run_writes_is_taken_and_nobody_reads_it_twice_as_something_else(times):
    played = PLAN.as_played(times)
    assert [phase.end for phase in played.phases] == [end for _, end in times]
    assert played.as_played(times) == played


@given(sound(), st.integers(0, 3), st.booleans(), st.sampled_from([math.nan, math.inf, -math.inf, -5.0, 500.0]))
def test_one_odd_time_is_enough_to_stay_with_the_plan(times, index, is_start, odd):
    start, end = times[index]
    times[index] = (odd, end) if is_start else (start, odd)
    assert PLAN.as_played(times) is PLAN


@given(sound(), st.integers(0, 3))
def test_so_is_a_missing_phase_or_one_too_many(times, index):
    assert PLAN.as_played(times[:index]) is PLAN
    assert PLAN.as_played([*times, times[index]]) is PLAN
    assert PLAN.as_played([*times[:index], *times[index + 1 :]]) is PLAN


@given(st.floats(SHORTEST, 59.0), st.floats(SHORTEST, 59.0))
def test_a_phase_that_ends_moves_those_behind_it_and_shortens_none_of_them(baseline, recovery):
    played = PLAN.ending("baseline", 10.0 + baseline)
    assert played.phase("fault").length == 20.0 or math.isclose(played.phase("fault").length, 20.0)
    assert played.phase("recovery").start == played.phase("fault").end
    again = played.ending("recovery", played.phase("recovery").start + recovery)
    assert math.isclose(again.length, 10 + baseline + 20 + recovery)
    assert [phase.planned for phase in again.phases] == [10.0, 60.0, 20.0, 60.0]
    # What the run planned so is what a reader makes of its edges.
    read = PLAN.as_played([(phase.start, phase.end) for phase in again.phases])
    assert [(one.start, one.end) for one in read.phases] == [(one.start, one.end) for one in again.phases]


def test_a_warmup_and_a_fault_are_never_shorter_than_planned():
    assert PLAN.as_played([(0.0, 9.0), (9.0, 69.0), (69.0, 89.0), (89.0, 149.0)]) is PLAN
    assert PLAN.as_played([(0.0, 10.0), (10.0, 70.0), (70.0, 89.0), (89.0, 149.0)]) is PLAN


def test_nor_is_a_judged_phase_shorter_than_two_witnesses_need():
    assert PLAN.as_played([(0.0, 10.0), (10.0, 19.4), (19.4, 39.4), (39.4, 99.4)]) is PLAN
    assert PLAN.as_played([(0.0, 10.0), (10.0, 20.0), (20.0, 40.0), (40.0, 100.0)]) != PLAN
