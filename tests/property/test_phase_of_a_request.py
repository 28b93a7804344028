"""Each request counts in exactly one phase: where it was due, or where a fault met it under way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.expect.base import requests_of
from holdfast.model.scenario import Phase
from holdfast.model.timeline import Event
from holdfast.testing import a_scenario, a_timeline, an_experiment

PHASES = tuple(
    Phase(name=name, start=start, end=start + 10.0, chaos="engine-kill" if name in {"one", "two"} else None)
    for name, start in (("before", 0.0), ("one", 10.0), ("between", 20.0), ("two", 30.0), ("after", 40.0))
)
NAMES = tuple(phase.name for phase in PHASES)
EXPERIMENTS = {"engine-kill": an_experiment()}
EMPTY = a_timeline(scenario=a_scenario(phases=PHASES, experiments=EXPERIMENTS, expect=()), bad={}, faults=(), alerts=())


def struck(phase, t):
    return Event(t=t, kind="fault", data={"phase": phase, "step": "applied", "id": phase})


def run_of(rows, *events):
    table = pd.DataFrame(rows, columns=["due", "last", "done", "max_gap"]).astype(float).assign(outcome="ok")
    table["first"] = table["last"].where(table["last"].isna(), table["due"] + 0.1)
    table["id"] = range(len(table))
    return replace(EMPTY, events=tuple(events), load=replace(EMPTY.load, requests=table))


def phase_of(due, last, done, gap=9.0):
    timeline = run_of([(due, last, done, gap)], struck("one", 12.0), struck("two", 32.0))
    return [name for name in NAMES if len(requests_of(timeline, [name]))]


@pytest.mark.parametrize(
    ("due", "last", "done", "phase"),
    [
        (5.0, 6.0, 6.0, "before"),  # over before any fault
        (9.0, 9.5, 11.0, "before"),  # ended a second before the fault struck at 12
        (9.0, 14.0, 14.0, "one"),  # under way at 12, and moving: tokens until after it
        (9.5, np.nan, 13.0, "one"),  # waited for its first token, 2.5 s < 3 s
        (5.0, np.nan, 40.0, "before"),  # stuck for 7 s before the fault: its own trouble
        (5.0, 11.0, 40.0, "one"),  # last token a second before the fault
        (5.0, 8.0, 40.0, "before"),  # last token 4 s before: it was stuck already
        (11.0, 15.0, 15.0, "one"),  # due in the fault's own phase, before it struck
        (29.0, 31.0, 33.0, "two"),  # under way at the second fault: the second one's doing
        (29.5, 33.0, np.nan, "two"),  # never ended
        (40.0, 41.0, 41.0, "after"),  # on the edge: the phase that begins
    ],
)
def test_where_a_request_counts(due, last, done, phase):
    assert phase_of(due, last, done) == [phase]


@pytest.mark.parametrize(("gap", "phase"), [(0.5, "one"), (3.0, "one"), (3.1, "before"), (np.nan, "before")])
def test_a_long_answer_was_moving_when_no_gap_in_it_was_long(gap, phase):
    # Due at 2, tokens until 20, struck at 12: its last token before the strike is not on record, its longest gap is.
    assert phase_of(2.0, 20.0, 20.0, gap) == [phase]


def test_a_request_that_was_never_sent_counts_nowhere():
    timeline = run_of([(5.0, 6.0, 6.0, 0.1)])
    dropped = timeline.load.requests.assign(outcome="dropped")
    assert len(requests_of(replace(timeline, load=replace(timeline.load, requests=dropped)), NAMES)) == 0


def test_a_request_without_a_due_time_counts_nowhere():
    assert len(requests_of(run_of([(np.nan, 6.0, 6.0, 0.1)]), NAMES)) == 0


def test_without_a_fault_every_request_stays_where_it_was_due():
    timeline = run_of([(9.0, 14.0, 14.0, 0.1)])
    assert len(requests_of(timeline, ["before"])) == 1


@st.composite
def rows(draw):
    due = draw(st.floats(0, 49.99))
    last = draw(st.one_of(st.just(float("nan")), st.floats(0, 30).map(lambda more: due + more)))
    done = draw(st.one_of(st.just(float("nan")), st.floats(0, 30).map(lambda more: due + more)))
    return due, last, done, draw(st.sampled_from([0.1, 5.0, float("nan")]))


@settings(max_examples=60, deadline=None)
@given(st.lists(rows(), min_size=1, max_size=30), st.floats(10, 20), st.floats(30, 40))
def test_every_request_counts_in_exactly_one_phase(table, first, second):
    timeline = run_of(table, struck("one", first), struck("two", second))
    ids = [identity for name in NAMES for identity in requests_of(timeline, [name])["id"]]
    assert sorted(ids) == list(range(len(table)))


@settings(max_examples=40, deadline=None)
@given(st.lists(rows(), min_size=1, max_size=20), st.sets(st.sampled_from(NAMES)))
def test_phases_together_hold_what_they_hold_alone(table, names):
    timeline = run_of(table, struck("one", 12.0), struck("two", 32.0))
    alone = sorted(identity for name in names for identity in requests_of(timeline, [name])["id"])
    assert sorted(requests_of(timeline, names)["id"]) == alone
