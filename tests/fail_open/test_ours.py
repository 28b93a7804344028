"""What could turn our own silence into green: records that are empty, impossible, torn, edited or written by two."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from examples import quickstart, write_run
from guards import guards
from holdfast.errors import ExitCode, HoldfastError
from holdfast.expect.budget import SpendsAtMost
from holdfast.expect.invariant import InvariantHolds
from holdfast.judge import judge
from holdfast.model.timeline import LoadRecord, Metrics
from holdfast.model.verdict import State
from holdfast.store import folder as store
from holdfast.store.load import LINES, to_parquet
from holdfast.store.reading import read_timeline
from holdfast.testing import KILL, a_place, a_scenario, a_timeline, an_slo, fault_steps, some_expectations

# A quantile over infinite numbers subtracts them; what comes of it is what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")

ANY = "a gate"
PASS, FAIL, UNKNOWN, NOT_RESTORED = State.PASS, State.FAIL, State.UNKNOWN, State.NOT_RESTORED
EVERY_KIND = (
    *some_expectations(),
    SpendsAtMost(slo=an_slo(), spend=0.01, where=a_place(19)),
    InvariantHolds(invariant="answers-complete", where=a_place(20)),
)
GOOD = a_timeline(scenario=a_scenario(expect=EVERY_KIND))
NAN, INF = math.nan, math.inf


def test_the_whole_record_passes():
    assert judge(GOOD).state is PASS


def state_of(timeline):
    return judge(timeline).state


def load(**fields):
    return state_of(replace(GOOD, load=replace(GOOD.load, **fields)))


def column(name, value):
    return load(requests=GOOD.load.requests.assign(**{name: value}))


def counted(**fields):
    change = tuple(replace(one, **fields) for one in GOOD.metrics.counted)
    return state_of(replace(GOOD, metrics=replace(GOOD.metrics, counted=change)))


def events(change):
    """The record with its events mapped; None drops one."""
    return state_of(replace(GOOD, events=tuple(found for one in GOOD.events if (found := change(one)))))


def judged(folder):
    """The answer to a run folder; a folder that is refused has its exit code."""
    try:
        return state_of(read_timeline(folder))
    except HoldfastError as error:
        return error.exit_code


# Empty.


@guards(ANY, "an empty record breaks no rule", UNKNOWN)
def test_an_empty_record_proves_nothing():
    nothing = LoadRecord(planned=0, requests=GOOD.load.requests.iloc[:0], beats=GOOD.load.beats.iloc[:0], ended=False)
    return state_of(replace(GOOD, events=(), load=nothing, metrics=Metrics(), alerts=()))


@guards(ANY, "an empty folder holds no failure", ExitCode.USAGE)
def test_an_empty_folder_is_no_run(tmp_path):
    return judged(tmp_path)


# Numbers that are none.


@guards(ANY, "a comparison with NaN is false, so nothing is over a limit", UNKNOWN, FAIL)
@pytest.mark.parametrize("name", ["id", "due", "sent", "first", "done", "tokens", "asked_tokens"])
def test_a_column_of_nan_is_no_evidence(name):
    return column(name, NAN)


@guards(ANY, "infinity compares, and its mean is NaN again", UNKNOWN, FAIL)
@pytest.mark.parametrize("value", [INF, -INF])
@pytest.mark.parametrize("name", ["id", "due", "sent", "first", "last", "done", "tokens", "asked_tokens"])
def test_a_column_of_infinity_is_no_evidence(name, value):
    return column(name, value)


@guards(ANY, "of two numbers, one of them NaN, max() gives the first", UNKNOWN)
@pytest.mark.parametrize("value", [NAN, INF, -INF, -1.0])
def test_a_client_whose_lag_is_no_number_was_not_on_time(value):
    return load(beats=GOOD.load.beats.assign(lag=value))


@guards(ANY, "heartbeats at no time at all are heartbeats", UNKNOWN)
def test_a_heartbeat_without_a_time_is_none():
    return load(beats=GOOD.load.beats.assign(t=NAN))


@guards(ANY, "a tolerance that is a share of an infinite count is infinite", UNKNOWN)
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("name", ["total", "bad"])
def test_a_second_witness_that_counted_no_number_does_not_agree(name, value):
    return counted(**{name: value})


@guards(ANY, "counters below zero cancel failures", UNKNOWN)
@pytest.mark.parametrize("fields", [{"total": -240.0}, {"bad": -40.0}, {"total": -240.0, "bad": -240.0}])
def test_a_second_witness_that_counted_below_zero_does_not_agree(fields):
    return counted(**fields)


@guards(ANY, "the scrape interval sets every tolerance, and nobody looks at it", UNKNOWN)
@pytest.mark.parametrize("interval", [NAN, INF, -1.0, 0.0, 1e9])
def test_scrapes_as_far_apart_as_years_witness_nothing(interval):
    return state_of(replace(GOOD, metrics=replace(GOOD.metrics, interval=interval)))


# Times that cannot be.


@guards(ANY, "a latency below zero is the best of all", UNKNOWN)
@pytest.mark.parametrize(("name", "seconds"), [("sent", 0.1), ("first", 1.0), ("done", 5.0)])
def test_an_answer_before_its_question_is_no_evidence(name, seconds):
    return column(name, GOOD.load.requests["due"] - seconds)


@guards(ANY, "a wall clock that jumps moves Prometheus' samples and alerts to another phase", UNKNOWN)
@pytest.mark.parametrize("by", [-3600.0, -1.0, 1.0, 3600.0])
def test_a_clock_that_jumped_is_seen_at_the_end(by):
    def change(one):
        return replace(one, data={**one.data, "wall": one.data["wall"] + by}) if one.kind == "end" else one

    return events(change)


@guards(ANY, "a clock that jumps and jumps back looks sane at both ends", UNKNOWN)
def test_a_clock_that_jumped_and_came_back_leaves_a_gap_in_the_scrapes():
    # From second 25 to second 45 the server's clock was 30 s ahead.
    series = tuple(
        replace(one, points=tuple((t + 30 if 25 <= t < 45 else t, value) for t, value in one.points))
        for one in GOOD.metrics.series
    )
    return state_of(replace(GOOD, metrics=replace(GOOD.metrics, series=series)))


@guards(ANY, "a fault that bites after its phase leaves that phase in peace", UNKNOWN)
@pytest.mark.parametrize("t", [29.0, 51.0, INF, NAN])
def test_a_fault_seen_at_another_time_than_its_phase_was_not_there(t):
    return state_of(a_timeline(faults=fault_steps({**KILL, "observed": t})))


@guards(ANY, "a platform that was looked at before its last fault was ready", UNKNOWN)
def test_a_look_at_the_platform_before_the_last_fault_is_none():
    return events(lambda one: replace(one, t=32.0) if one.kind == "restored" else one)


@guards(ANY, "a fault gone at no time is gone", NOT_RESTORED)
@pytest.mark.parametrize("t", [NAN, INF])
def test_a_fault_gone_at_no_time_is_still_there(t):
    return state_of(a_timeline(faults=fault_steps({**KILL, "gone": t})))


# Records that somebody else had in his hands.


@pytest.fixture(scope="module")
def story():
    return a_timeline(scenario=quickstart())


@guards(ANY, "NDJSON cut in the middle of a line parses up to there", UNKNOWN)
@pytest.mark.parametrize("name", [LINES, store.EVENTS])
@pytest.mark.parametrize("sealed", [False, True], ids=["killed", "sealed all the same"])
def test_a_line_that_was_not_written_whole_spoils_the_record(tmp_path, story, name, sealed):
    folder = write_run(tmp_path / "run", story, sealed=False)
    store.write_whole(folder / name, (folder / name).read_text()[:-20])
    if sealed:
        to_parquet(folder)
        store.seal(folder)
    return judged(folder)


@guards(ANY, "a record edited afterwards is read like any other", UNKNOWN)
def test_an_edited_record_is_told_by_its_digest(tmp_path, story):
    failed = write_run(tmp_path / "failed", a_timeline(scenario=quickstart(), bad={"baseline": 60}))
    passed = write_run(tmp_path / "passed", story)
    assert (judged(failed), judged(passed)) == (FAIL, PASS)
    (failed / "requests.parquet").write_bytes((passed / "requests.parquet").read_bytes())
    return judged(failed)


@guards(ANY, "of two runs in one folder the first to say so has passed", UNKNOWN)
@pytest.mark.parametrize("later", [0.01, 5.0])
def test_two_runs_that_wrote_into_one_folder_are_none(tmp_path, story, later):
    second = [replace(one, t=one.t + later) for one in story.events]
    both = tuple(sorted([*story.events, *second], key=lambda one: one.t))
    return judged(write_run(tmp_path / "both", replace(story, events=both)))


@guards(ANY, "a good request recorded twice makes up for a bad one", UNKNOWN)
def test_a_request_recorded_twice_counts_for_nothing():
    rows = GOOD.load.requests
    first = rows.index[rows["outcome"] == "ok"][0]
    twice = rows.where(rows["outcome"] == "ok", rows.loc[[first] * len(rows)].set_axis(rows.index))
    assert len(twice) == len(rows)
    return load(requests=twice.astype({"id": float}))


@guards(ANY, "a phase that never happened has no failures", UNKNOWN)
@pytest.mark.parametrize("name", ["baseline", "fault", "recovery"])
def test_a_phase_that_never_happened_is_missed(name):
    return events(lambda one: None if one.kind == "phase" and one.data["name"] == name else one)


@guards(ANY, "a client that counts answers with no token asked for finds them all complete", FAIL)
@pytest.mark.parametrize("tokens", [{"asked_tokens": 0, "tokens": 0}, {"asked_tokens": -1}, {"tokens": np.inf}])
def test_an_answer_without_a_token_is_not_complete(tokens):
    return load(requests=GOOD.load.requests.assign(**tokens))
