"""Laws of judgement: merging is a lattice; order, date and repetition change nothing; worse is never better."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.clock import Anchor
from holdfast.expect.budget import SpendsAtMost
from holdfast.expect.invariant import InvariantHolds
from holdfast.judge import judge
from holdfast.model.verdict import State, worst
from holdfast.testing import a_place, a_scenario, a_timeline, an_slo, some_expectations

EXPECT = (
    *some_expectations(),
    SpendsAtMost(slo=an_slo(), spend=0.00001, where=a_place(19)),
    InvariantHolds(invariant="answers-complete", where=a_place(20)),
)
SCENARIO = a_scenario(expect=EXPECT)
STORIES = {
    "the default": a_timeline(scenario=SCENARIO),
    "thirty cut": a_timeline(scenario=SCENARIO, bad={"fault": 30}),
    "slow afterwards": a_timeline(scenario=SCENARIO, slow={"recovery": 40}),
    "lost before": a_timeline(scenario=SCENARIO, bad={"baseline": 5, "fault": 4}, outcome="http_error"),
}


def told(timeline):
    return [(one.id, one.state, one.sentence) for one in judge(timeline).verdicts]


@pytest.mark.parametrize(("a", "b", "c"), list(product(State, repeat=3)))
def test_merging_is_a_lattice(a, b, c):
    assert worst([a, worst([b, c])]) is worst([worst([a, b]), c]) is worst([c, b, a])
    assert worst([a, a]) is a
    assert worst([a, State.PASS]) is a
    assert worst([a, State.NOT_RESTORED]) is State.NOT_RESTORED


@given(st.lists(st.sampled_from(State), max_size=6), st.randoms())
def test_a_merge_is_pass_only_when_there_is_something_and_all_of_it_passed(states, random):
    mixed = random.sample(states, len(states))
    assert worst(mixed) is worst(states)
    assert (worst(states) is State.PASS) == (set(states) == {State.PASS})


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(story, seed):
    rows = story.load.requests.sample(frac=1, random_state=seed)
    beats = story.load.beats.sample(frac=1, random_state=seed)
    assert told(replace(story, load=replace(story.load, requests=rows, beats=beats))) == told(story)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("by", [8.0, 1024.0])
def test_the_run_may_begin_at_any_second(story, by):
    moved = shifted(story, by)
    # The budget is counted over the run's length from second 0, so it alone is left out.
    assert [one for one in told(moved) if "budget" not in one[0]] == [
        one for one in told(story) if "budget" not in one[0]
    ]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_date_changes_nothing(story):
    end = next(event for event in story.events if event.kind == "end")
    year = 365.0 * 86_400
    later = replace(end, data={**end.data, "wall": end.data["wall"] + year})
    events = tuple(later if event is end else event for event in story.events)
    anchor = Anchor(monotonic=story.anchor.monotonic + 5, wall=story.anchor.wall + year)
    assert told(replace(story, anchor=anchor, events=events)) == told(story)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(STORIES)), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_more_bad_events_never_turn_a_failure_into_a_pass(name, more, seed):
    story = STORIES[name]
    rows = story.load.requests
    chosen = np.random.default_rng(seed).choice(len(rows), more, replace=False)
    worse = rows.assign(outcome=np.where(np.isin(rows.index, chosen), "cut", rows["outcome"]))
    before = {one.id: one.judge(story).state for one in EXPECT}
    after = {one.id: one.judge(replace(story, load=replace(story.load, requests=worse))).state for one in EXPECT}
    assert all(
        after[key] is State.FAIL for key, state in before.items() if state is State.FAIL and "invariant" not in key
    )
    assert all(state is State.PASS for key, state in before.items() if after[key] is State.PASS)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_judging_twice_gives_the_same_report(story):
    assert judge(story) == judge(story)


def shifted(story, by):
    """The same run with every time on its clock later by so many seconds."""
    scenario = story.scenario
    phases = tuple(replace(one, start=one.start + by, end=one.end + by) for one in scenario.phases)
    rows = story.load.requests
    times = {name: rows[name] + by for name in ("due", "sent", "first", "last", "done")}
    series = tuple(
        replace(one, points=tuple((t + by, value) for t, value in one.points)) for one in story.metrics.series
    )
    return replace(
        story,
        scenario=replace(scenario, phases=phases),
        anchor=replace(story.anchor, wall=story.anchor.wall - by),
        events=tuple(replace(event, t=event.t + by) for event in story.events),
        load=replace(
            story.load, requests=rows.assign(**times), beats=story.load.beats.assign(t=story.load.beats["t"] + by)
        ),
        metrics=replace(story.metrics, series=series),
        alerts=tuple(replace(one, t=one.t + by) for one in story.alerts),
    )
