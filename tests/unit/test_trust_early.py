"""May the record of a run that stopped early be judged? Its phases and its load, fine and odd in every way."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from examples import quickstart, write_run
from holdfast import trust
from holdfast.judge import judge
from holdfast.model.timeline import Event
from holdfast.model.verdict import State
from holdfast.store.reading import read_timeline
from holdfast.testing import a_scenario, a_timeline

PASS, UNKNOWN = State.PASS, State.UNKNOWN
NAN = math.nan
PLAN = a_scenario(lengths={"warmup": 10.0, "baseline": 60.0, "fault": 20.0, "recovery": 60.0}, stop="early")
EDGES = [(0.0, 10.0), (10.0, 30.0), (30.0, 50.0), (50.0, 75.0)]
"""Baseline took 20 s and recovery 25 s of their 60: the default story, in a plan of 150 s with 1800 requests."""
DUE = 900
"""Requests due in those 75 s at 12/s."""
STORY = a_timeline()
LAST = float(STORY.load.requests["due"].max())


def early(event):
    is_end = event.kind == "phase" and event.data["edge"] == "end" and event.data["name"] in {"baseline", "recovery"}
    return replace(event, data={**event.data, "early": True}) if is_end else event


def cut(**data):
    return Event(t=74.5, kind="load", data={"step": "cut", "until": 75.0, "expected": DUE, **data})


def started(event):
    is_start = event.data.get("step") == "started"
    return replace(event, data={**event.data, "expected": 1800}) if is_start else event


EVENTS = tuple(sorted((*(started(early(one)) for one in STORY.events), cut()), key=lambda one: one.t))
GOOD = replace(STORY, scenario=PLAN.as_played(EDGES), events=EVENTS, load=replace(STORY.load, planned=1800))


def events(change):
    return replace(GOOD, events=tuple(found for one in EVENTS if (found := change(one)) is not None))


def cut_as(**data):
    return events(lambda one: cut(**data) if one.data.get("step") == "cut" else one)


def end_of(name, **data):
    def change(one):
        is_it = one.kind == "phase" and (one.data["name"], one.data["edge"]) == (name, "end")
        return replace(one, data={**one.data, **data}) if is_it else one

    return events(change)


def played(edges):
    """Phases set to these times past the reader, which would refuse them, and events that say so."""
    phases = tuple(
        replace(phase, start=start, end=end, planned=phase.length)
        for phase, (start, end) in zip(PLAN.phases, edges, strict=True)
    )
    times = {(one.name, edge): getattr(one, edge) for one in phases for edge in ("start", "end")}
    told = tuple(
        replace(one, t=times[one.data["name"], one.data["edge"]]) if one.kind == "phase" else one for one in EVENTS
    )
    return replace(GOOD, scenario=replace(PLAN, phases=phases), events=told)


SITUATIONS = [
    (trust.phases_kept, "two of four ended early", GOOD, PASS),
    (trust.phases_kept, "one of them without a word", end_of("baseline", early=None), UNKNOWN),
    (trust.phases_kept, "the word is no yes", end_of("baseline", early="false"), UNKNOWN),
    (trust.phases_kept, "an end is missing", events(lambda one: None if one.data.get("early") else one), UNKNOWN),
    (trust.phases_kept, "an end came twice", replace(GOOD, events=(*EVENTS, EVENTS[-1])), PASS),
    (
        trust.phases_kept,
        "the end of a phase came twice",
        replace(GOOD, events=(*EVENTS, *(one for one in EVENTS if one.data.get("early")))),
        UNKNOWN,
    ),
    (
        trust.phases_kept,
        "in a scenario that runs to its end",
        replace(GOOD, scenario=replace(GOOD.scenario, stop="end")),
        UNKNOWN,
    ),
    (trust.phases_kept, "played, but read as planned", replace(GOOD, scenario=PLAN), UNKNOWN),
    (trust.phases_kept, "longer than planned", played([(0, 10), (10, 71), (71, 91), (91, 116)]), UNKNOWN),
    (trust.phases_kept, "longer by half a second", played([(0, 10), (10, 70.5), (70.5, 90.5), (90.5, 116)]), PASS),
    (trust.phases_kept, "a judged phase of 9.5 s", played([(0, 10), (10, 19.5), (19.5, 39.5), (39.5, 75)]), PASS),
    (trust.phases_kept, "a judged phase of 5 s", played([(0, 10), (10, 15), (15, 35), (35, 75)]), UNKNOWN),
    (trust.phases_kept, "a warmup of 5 s", played([(0, 5), (5, 30), (30, 50), (50, 75)]), UNKNOWN),
    (trust.phases_kept, "a fault of 15 s", played([(0, 10), (10, 30), (30, 45), (45, 75)]), UNKNOWN),
    (trust.phases_kept, "a length that is no number", played([(0, 10), (10, NAN), (NAN, 50), (50, 75)]), UNKNOWN),
    (trust.load_offered, "all that was due before the cut", GOOD, PASS),
    (
        trust.load_offered,
        "no cut, and half of the plan",
        events(lambda one: None if one.data.get("step") == "cut" else one),
        UNKNOWN,
    ),
    (trust.load_offered, "cut twice", replace(GOOD, events=(*EVENTS, cut())), UNKNOWN),
    (
        trust.load_offered,
        "cut in a scenario that runs to its end",
        replace(GOOD, scenario=replace(GOOD.scenario, stop="end")),
        UNKNOWN,
    ),
    (trust.load_offered, "cut 10 s before the end", cut_as(until=65.0, expected=780), UNKNOWN),
    (trust.load_offered, "cut 10 s after the end", cut_as(until=85.0), UNKNOWN),
    (
        trust.load_offered,
        "told only afterwards",
        events(lambda one: replace(one, t=75.2) if one.data.get("step") == "cut" else one),
        UNKNOWN,
    ),
    (trust.load_offered, "requests after the cut", cut_as(until=74.6, expected=895), UNKNOWN),
    (trust.load_offered, "as many as wanted, five of them after the cut", cut_as(until=74.6), UNKNOWN),
    (trust.load_offered, "one at the very moment of the cut", cut_as(until=LAST), UNKNOWN),
    (trust.load_offered, "cut 0.5 s after the end", cut_as(until=75.5), PASS),
    (
        trust.load_offered,
        "told at the very moment of the cut",
        events(lambda one: replace(one, t=75.0) if one.data.get("step") == "cut" else one),
        PASS,
    ),
    (
        trust.load_offered,
        "cut after all of the plan",
        replace(
            events(lambda one: replace(one, data={**one.data, "expected": DUE}) if "expected" in one.data else one),
            load=replace(GOOD.load, planned=DUE),
        ),
        PASS,
    ),
    (trust.load_offered, "10 short of those wanted", cut_as(expected=DUE + 10), UNKNOWN),
    (trust.load_offered, "more than were wanted", cut_as(expected=DUE - 10), UNKNOWN),
    (trust.load_offered, "none was wanted", cut_as(expected=0), UNKNOWN),
    (trust.load_offered, "more than the plan has", cut_as(expected=2000), UNKNOWN),
    *(
        (trust.load_offered, f"{key}: {value!r}", cut_as(**{key: value}), UNKNOWN)
        for key, value in [("until", NAN), ("until", None), ("until", "75"), ("expected", None), ("expected", 900.0)]
    ),
    (trust.load_offered, "the generator planned less", replace(GOOD, load=replace(GOOD.load, planned=900)), UNKNOWN),
    (trust.load_offered, "the generator has no end", replace(GOOD, load=replace(GOOD.load, ended=False)), UNKNOWN),
]


@pytest.mark.parametrize(
    ("check", "timeline", "expected"),
    [pytest.param(one[0], *one[2:], id=f"{one[0].__name__}: {one[1]}") for one in SITUATIONS],
)
def test_a_check_passes_only_what_a_run_that_may_stop_early_leaves(check, timeline, expected):
    assert check(timeline).state is expected


def test_half_a_second_short_is_not_early():
    # Baseline took 59.5 s of 60, recovery 25 s.
    story = played([(0, 10), (10, 69.5), (69.5, 89.5), (89.5, 114.5)])
    assert trust.phases_kept(story).seen == "every phase in its turn, 1 ended early"


def test_a_cut_before_the_first_request_leaves_nothing_to_plan():
    assert trust.load_offered(cut_as(expected=0)).seen == "no request was planned"


def test_the_whole_story_is_trusted():
    assert {one.name: one.state for one in trust.checks(GOOD) if one.state is not PASS} == {}


def test_from_a_folder_the_phases_come_as_played_and_from_an_odd_one_as_planned(tmp_path):
    story = a_timeline(scenario=quickstart())
    assert read_timeline(write_run(tmp_path / "end", story)).scenario.phases == story.scenario.phases

    scenario = quickstart()
    text = {name: words.replace("seed: 7\n", "seed: 7\nstop: early\n") for name, words in scenario.files.items()}
    stopping = replace(scenario, files=text, stop="early")
    # As long as planned, half a tick late: still as played, and a PASS of trust either way.
    late = tuple(replace(one, t=one.t + 0.05) if one.kind == "phase" else one for one in story.events)
    found = read_timeline(write_run(tmp_path / "late", replace(story, scenario=stopping, events=late)))
    assert [phase.end for phase in found.scenario.phases] == [phase.end + 0.05 for phase in scenario.phases]
    assert trust.phases_kept(found).state is PASS
    # The fault's end never came, or came before its start: nobody guesses, and nobody passes.
    for number, odd in enumerate((None, 3.0, 500.0)):

        def change(one, odd=odd):
            is_it = one.kind == "phase" and (one.data["name"], one.data["edge"]) == ("fault", "end")
            return one if not is_it else None if odd is None else replace(one, t=odd)

        told = tuple(kept for one in story.events if (kept := change(one)) is not None)
        folder = write_run(tmp_path / f"odd-{number}", replace(story, scenario=stopping, events=told))
        found = read_timeline(folder)
        assert found.scenario.phases == scenario.phases
        assert trust.phases_kept(found).state is UNKNOWN
        assert judge(found).state is not PASS
