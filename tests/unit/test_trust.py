"""May this record be judged? Each check in every situation: fine, broken, empty, missing, not a number."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from holdfast import trust
from holdfast.expect.invariant import InvariantHolds
from holdfast.expect.slo import SloHolds
from holdfast.model.timeline import AlertEvent, Counted, Event, LoadRecord, Metrics, Series
from holdfast.model.verdict import State
from holdfast.testing import (
    KILL,
    a_place,
    a_scenario,
    a_timeline,
    an_slo,
    fault_steps,
    some_metrics,
    some_phases,
)

PASS, UNKNOWN, NOT_RESTORED = State.PASS, State.UNKNOWN, State.NOT_RESTORED
GOOD = a_timeline()
NAN = math.nan


def changed(**fields):
    return replace(GOOD, **fields)


def events(keep=lambda event: True, *more):
    return changed(events=(*(event for event in GOOD.events if keep(event)), *more))


def moved(name, edge, t):
    """One phase edge at another time."""
    return changed(
        events=tuple(
            replace(event, t=t) if event.kind == "phase" and event.data == {"name": name, "edge": edge} else event
            for event in GOOD.events
        )
    )


def load(**fields):
    return changed(load=replace(GOOD.load, **fields))


def requests(**columns):
    return load(requests=GOOD.load.requests.assign(**columns))


def metrics(**fields):
    return changed(metrics=replace(GOOD.metrics, **fields))


def scraped(*times):
    return Series(name="up", labels={}, points=tuple((float(t), 1.0) for t in times))


def up(*times):
    return metrics(series=(scraped(*times),))


def also(kind, **data):
    """The default story, and one more event."""
    return events(lambda _: True, Event(t=40.0, kind=kind, data=data))


def two_faults(**second):
    return a_timeline(faults=(*fault_steps(), *fault_steps(second, target="engine-3")))


def counted(change):
    return metrics(counted=tuple(change(one) for one in GOOD.metrics.counted))


def ended(t=77.1, **data):
    return events(lambda event: event.kind != "end", Event(t=t, kind="end", data=data))


def faults(*without, **story):
    return a_timeline(faults=fault_steps({step: t for step, t in KILL.items() if step not in without}), **story)


def bitten(t):
    return a_timeline(faults=fault_steps({**KILL, "observed": t}))


def restored(**data):
    return events(lambda event: event.kind != "restored", Event(t=75.6, kind="restored", data=data))


def watchdogs(*times):
    dogs = [AlertEvent(t=float(t), name="Watchdog", status="firing", severity="none") for t in times]
    return changed(alerts=(*(one for one in GOOD.alerts if one.name != "Watchdog"), *dogs))


def without_a_look(story):
    return replace(story, events=tuple(one for one in story.events if one.kind != "restored"))


def asking(kind):
    """A scenario whose only expectation is of this kind."""
    alert = next(one for one in GOOD.scenario.expect if one.kind == "alert")
    answers = InvariantHolds(invariant="answers-complete", where=a_place())
    return a_timeline(scenario=a_scenario(expect=(answers if kind == "invariant" else alert,)))


def code(number):
    """The generator ended by itself, with this exit code."""
    return events(lambda event: event.data.get("step") != "ended", Event(t=75.5, kind="load", data=over(number)))


def over(number):
    return {"step": "ended", "code": number}


def late(count, phase="fault"):
    """The first requests of a phase left 100 ms late, and were answered as much later."""
    rows = GOOD.load.requests
    start = GOOD.scenario.phase(phase).start
    behind = rows.index.isin(rows.index[rows["due"] >= start][:count]) * 0.1
    return load(requests=rows.assign(**{name: rows[name] + behind for name in ("sent", "first", "last", "done")}))


def beats(keep=lambda t: t >= 0, **columns):
    """Only these beats, one a second from 0 to 75."""
    known = GOOD.load.beats.assign(**columns)
    return load(beats=known[keep(known["t"])])


def lagging(start, end):
    t = GOOD.load.beats["t"]
    return beats(lag=((t > start) & (t <= end)) * 0.2)


def asking_nothing(late, **columns):
    """Load without a scenario. Answers begin after 120 ms, a tenth is 12: 20 ms late at most, as for the tightest."""
    rows = GOOD.load.requests
    return replace(requests(sent=rows["due"] + late, **columns), scenario=a_scenario(expect=()))


def worker_line(index, state, offset=0.0, uncertainty=0.001, **more):
    return {"index": index, "state": state, "t": 1.0, "offset": offset, "uncertainty": uncertainty, **more}


CLOCKS = tuple(worker_line(index, state) for state in ("joined", "left") for index in (0, 1))


def fleet(workers=CLOCKS, *, lags=(0.001, 0.001), named=True):
    """The load, offered by two processes, which compared their clocks with the master's at the start and at the end."""
    mine = [GOOD.load.beats.assign(lag=lag, worker=float(at) if named else NAN) for at, lag in enumerate(lags)]
    scenario = replace(GOOD.scenario, load=replace(GOOD.scenario.load, workers=2))
    told = replace(GOOD.load, beats=pd.concat(mine, ignore_index=True), workers=tuple(workers))
    return changed(scenario=scenario, load=told)


def clock(state="joined", **changes):
    """One clock of the second worker's, as it was compared."""
    return fleet([{**one, **changes} if (one["index"], one["state"]) == (1, state) else one for one in CLOCKS])


def lost(**fields):
    gone = {"index": 1, "state": "lost", "t": 33.2, "why": "no heartbeat came any more"}
    return replace(fleet(), load=replace(fleet((*CLOCKS[:3], gone)).load, **fields))


SLOW = asking_nothing(0.0499, **dict.fromkeys(("first", "last", "done"), GOOD.load.requests["due"] + 0.5))
CUT_OFF = load(beats=GOOD.load.beats[:30], requests=GOOD.load.requests[:300])
CLOSED = replace(load(planned=0), scenario=replace(GOOD.scenario, load=replace(GOOD.scenario.load, arrivals="closed")))
A_WORD = Event(t=0.0, kind="load", data={"step": "prepared"})
ROLLBACK = also("chaos", left="start engine-2")
STUCK = a_timeline(faults=(*faults("gone").of("fault"), *ROLLBACK.of("chaos")))
EMPTY = GOOD.load.requests.iloc[:0]
DUE_BUT_ONE = GOOD.load.requests["due"].where(GOOD.load.requests["id"] != 5)
UNJUDGED = tuple(replace(one, judged=False) for one in some_phases())
NONE_BAD = some_metrics(GOOD.scenario, a_timeline(bad={}).load.requests)

SITUATIONS = [
    # The run ended by itself and nothing was changed since.
    (trust.record_whole, "whole", GOOD, PASS),
    (trust.record_whole, "a file is missing", changed(damaged=("requests.parquet: missing",)), UNKNOWN),
    (trust.record_whole, "no end", events(lambda event: event.kind != "end"), UNKNOWN),
    (trust.record_whole, "no event at all", changed(events=()), UNKNOWN),
    (trust.record_whole, "interrupted", also("interrupted", signal="SIGINT"), UNKNOWN),
    (trust.record_whole, "something failed", also("failed"), UNKNOWN),
    (trust.record_whole, "something failed, and said why", also("failed", detail="no space left"), UNKNOWN),
    (trust.record_whole, "four files are missing", changed(damaged=("a", "b", "c", "d")), UNKNOWN),
    (trust.record_whole, "it ended twice", also("end"), UNKNOWN),
    # Every phase happened when the plan said.
    (trust.phases_kept, "on time", GOOD, PASS),
    (trust.phases_kept, "0.4 s late", moved("fault", "start", 30.4), PASS),
    (trust.phases_kept, "0.5 s late", moved("fault", "start", 30.5), PASS),
    (trust.phases_kept, "0.6 s late", moved("fault", "start", 30.6), UNKNOWN),
    (trust.phases_kept, "0.6 s early", moved("recovery", "end", 74.4), UNKNOWN),
    (trust.phases_kept, "a time that is no number", moved("fault", "start", NAN), UNKNOWN),
    (trust.phases_kept, "never happened", events(lambda event: event.kind != "phase"), UNKNOWN),
    # The planned arrivals were really sent.
    (trust.load_offered, "all", GOOD, PASS),
    (trust.load_offered, "9 of 909 short", a_timeline(dropped=9), PASS),  # 0.99 %
    (trust.load_offered, "10 of 910 short", a_timeline(dropped=10), UNKNOWN),  # 1.1 %
    (trust.load_offered, "9 of 900 short", load(requests=GOOD.load.requests[9:]), PASS),  # 1 %
    (trust.load_offered, "10 of 900 short", load(requests=GOOD.load.requests[10:]), UNKNOWN),
    (trust.load_offered, "stopped early", load(ended=False), UNKNOWN),
    (trust.load_offered, "nothing planned", load(planned=0, requests=EMPTY), UNKNOWN),
    (trust.load_offered, "nothing sent", load(requests=EMPTY), UNKNOWN),
    (trust.load_offered, "sent is nowhere a number", requests(sent=NAN), UNKNOWN),
    (trust.load_offered, "a due time is missing", requests(due=DUE_BUT_ONE), UNKNOWN),
    (trust.load_offered, "more than were planned", load(planned=800), UNKNOWN),
    (trust.load_offered, "half of the plan, all sent", load(planned=450, requests=GOOD.load.requests[:450]), UNKNOWN),
    (trust.load_offered, "no plan to compare with", events(lambda event: event.kind != "load"), UNKNOWN),
    (trust.load_offered, "another word before the plan", changed(events=(A_WORD, *GOOD.events)), PASS),
    (trust.load_offered, "a closed loop", CLOSED, UNKNOWN),
    (trust.load_offered, "exit code 0", code(0), PASS),
    (trust.load_offered, "it broke at its end", code(70), UNKNOWN),
    (trust.load_offered, "two processes", fleet(), PASS),
    (trust.load_offered, "one of two was lost", lost(ended=False), UNKNOWN),
    (trust.load_offered, "one of two was lost when all was offered", lost(), UNKNOWN),
    (trust.load_offered, "one of two broke", clock("left", error="told to stop before its end"), UNKNOWN),
    # Requests left when they were due. The tightest bound is 300 ms: 30 ms late at most.
    (trust.load_on_time, "2 ms late", GOOD, PASS),
    (trust.load_on_time, "100 ms late", a_timeline(lateness=0.1), UNKNOWN),
    (trust.load_on_time, "the loop lags", load(beats=GOOD.load.beats.assign(lag=0.2)), UNKNOWN),
    (trust.load_on_time, "30 ms late", requests(due=0.0, sent=0.03), PASS),
    (trust.load_on_time, "the loop lags by 30 ms", load(beats=GOOD.load.beats.assign(lag=0.03)), PASS),
    (trust.load_on_time, "the loop does not lag", load(beats=GOOD.load.beats.assign(lag=0.0)), PASS),
    (trust.load_on_time, "the loop is ahead of time", load(beats=GOOD.load.beats.assign(lag=-0.001)), UNKNOWN),
    (trust.load_on_time, "sent 1 ms before it was due", requests(due=0.001, sent=0.0), PASS),
    (trust.load_on_time, "sent 2 ms before it was due", requests(due=0.002, sent=0.0), UNKNOWN),
    (trust.load_on_time, "no beat", load(beats=GOOD.load.beats.iloc[:0]), UNKNOWN),
    (trust.load_on_time, "no request", load(requests=EMPTY), UNKNOWN),
    (trust.load_on_time, "no number", load(beats=GOOD.load.beats.assign(lag=NAN)), UNKNOWN),
    (trust.load_on_time, "years late", requests(sent=1e9), UNKNOWN),
    # A phase by itself, 240 requests in 20 s: of 900 in 75 s, three would be 0.3 % and two beats 2.7 %.
    (trust.load_on_time, "2 of 240 late in a phase", late(2), PASS),
    (trust.load_on_time, "4 of 240 late in a phase", late(4), UNKNOWN),
    (trust.load_on_time, "4 late in the warmup", late(4, "warmup"), PASS),
    (trust.load_on_time, "1 of 20 s away in a phase", lagging(35, 36), PASS),
    (trust.load_on_time, "2 of 20 s away in a phase", lagging(35, 37), UNKNOWN),
    (trust.load_on_time, "2 s away in the warmup", lagging(5, 7), PASS),
    # A loop that is away writes no beats: they count by the time they speak for.
    (trust.load_on_time, "silent for 2 s", beats(lambda t: t != 40), PASS),
    (trust.load_on_time, "silent for 3 s", beats(lambda t: (t != 40) & (t != 41)), UNKNOWN),
    (trust.load_on_time, "silent at the beginning", beats(lambda t: t > 15), UNKNOWN),
    (trust.load_on_time, "silent through a phase", CUT_OFF, UNKNOWN),
    (trust.load_on_time, "silent at the end", beats(lambda t: t < 60), UNKNOWN),
    (trust.load_on_time, "nothing is asked, 19.9 ms late", asking_nothing(0.0199), PASS),
    (trust.load_on_time, "nothing is asked, 20.1 ms late", asking_nothing(0.0201), UNKNOWN),
    (trust.load_on_time, "nothing is asked of a slow one", SLOW, PASS),
    (trust.load_on_time, "nothing is asked or answered", asking_nothing(0.0999, first=NAN), PASS),
    # Two processes: each loop and each clock by itself.
    (trust.load_on_time, "two processes", fleet(), PASS),
    (trust.load_on_time, "one of two loops lags", fleet(lags=(0.001, 0.2)), UNKNOWN),
    (trust.load_on_time, "one of two has no beat", fleet(lags=(0.001,)), UNKNOWN),
    (trust.load_on_time, "one of two has no beat that is a number", fleet(lags=(0.001, NAN)), UNKNOWN),
    (trust.load_on_time, "two that do not say whose a beat is", fleet(named=False), PASS),
    (trust.load_on_time, "a clock known to 30 ms", clock(uncertainty=0.03), PASS),
    (trust.load_on_time, "a clock known to 31 ms", clock(uncertainty=0.031), UNKNOWN),
    (trust.load_on_time, "a clock years away", fleet([{**one, "offset": 1e8} for one in CLOCKS]), PASS),
    (trust.load_on_time, "a clock that went 28 ms wrong", clock("left", offset=-0.028), PASS),
    (trust.load_on_time, "a clock that went 30 ms wrong", clock("left", offset=-0.03), UNKNOWN),
    (trust.load_on_time, "a clock not compared again", clock("left", offset=None), UNKNOWN),
    (trust.load_on_time, "a clock that is no number", clock(uncertainty=NAN), UNKNOWN),
    (trust.load_on_time, "clocks that nobody compared", fleet(()), UNKNOWN),
    # Every phase with an experiment saw its fault bite.
    (trust.fault_bit, "it bit", GOOD, PASS),
    (trust.fault_bit, "nothing was struck", a_timeline(faults=()), UNKNOWN),
    (trust.fault_bit, "applied, never observed", faults("observed"), UNKNOWN),
    (trust.fault_bit, "0.5 s before its phase", bitten(29.5), PASS),
    (trust.fault_bit, "0.6 s before its phase", bitten(29.4), UNKNOWN),
    (trust.fault_bit, "0.5 s after its phase", bitten(50.5), PASS),
    (trust.fault_bit, "0.6 s after its phase", bitten(50.6), UNKNOWN),
    (trust.fault_bit, "not played whole", also("chaos", detail="the second action raised"), UNKNOWN),
    (trust.fault_bit, "one of two unseen", two_faults(asked=31.0, applied=31.1, unseen=36.0, gone=37.0), UNKNOWN),
    (trust.fault_bit, "one of two only asked for", two_faults(asked=31.0), UNKNOWN),
    (trust.fault_bit, "both of two were", two_faults(**KILL), PASS),
    (trust.fault_bit, "refused", a_timeline(faults=fault_steps({"refused": 31.0}, detail="role not allowed")), UNKNOWN),
    (trust.fault_bit, "it hit a bystander too", a_timeline(faults=fault_steps({**KILL, "astray": 31.2})), UNKNOWN),
    (trust.fault_bit, "its lease ended it", a_timeline(faults=fault_steps({**KILL, "lapsed": 32.9})), UNKNOWN),
    (trust.fault_bit, "in another phase", a_timeline(faults=fault_steps(phase="recovery")), UNKNOWN),
    (trust.fault_bit, "none was wanted", a_timeline(scenario=a_scenario(chaos=None)), PASS),
    # Every fault was seen gone, and every role is ready.
    (trust.fault_gone, "gone", GOOD, PASS),
    (trust.fault_gone, "never seen gone", faults("gone"), NOT_RESTORED),
    (trust.fault_gone, "only asked", faults("applied", "observed", "undone", "gone"), NOT_RESTORED),
    (trust.fault_gone, "the line that asked is lost", faults("asked", "gone"), NOT_RESTORED),
    (trust.fault_gone, "refused: nothing to undo", a_timeline(faults=fault_steps({"refused": 31.0})), PASS),
    (trust.fault_gone, "one of two is still there", two_faults(asked=31.0), NOT_RESTORED),
    (trust.fault_gone, "a replica is not ready", restored(ok=False, detail="engine-2"), NOT_RESTORED),
    (trust.fault_gone, "readiness without an answer", restored(), NOT_RESTORED),
    (trust.fault_gone, "a role that was never struck is down", restored(ok=False, ours=False, detail="redis"), UNKNOWN),
    (trust.fault_gone, "a role that was struck is down", restored(ok=False, ours=True), NOT_RESTORED),
    (trust.fault_gone, "nobody looked", events(lambda event: event.kind != "restored"), UNKNOWN),
    (trust.fault_gone, "a step without a name", also("fault", id="x"), UNKNOWN),
    (trust.fault_gone, "looked at while it went", a_timeline(faults=fault_steps({**KILL, "gone": 75.6})), PASS),
    (trust.fault_gone, "looked at before it went", a_timeline(faults=fault_steps({**KILL, "gone": 75.7})), UNKNOWN),
    (trust.fault_gone, "a rollback failed", ROLLBACK, NOT_RESTORED),
    (trust.fault_gone, "a rollback failed, and nobody looked", without_a_look(ROLLBACK), NOT_RESTORED),
    (trust.fault_gone, "a rollback failed, and it is there", replace(ROLLBACK, events=STUCK.events), NOT_RESTORED),
    # Prometheus scraped without gaps from baseline to recovery (10 to 75 s), at 1 s: 3.5 s may be missing.
    (trust.prometheus_watched, "every second", GOOD, PASS),
    (trust.prometheus_watched, "a gap of 3 s", up(*range(10, 40), *range(42, 76)), PASS),
    (trust.prometheus_watched, "a gap of 4 s", up(*range(10, 40), *range(43, 76)), UNKNOWN),
    (trust.prometheus_watched, "a gap of 3.5 s", up(*range(10, 40), 42.5, *range(43, 76)), PASS),
    (trust.prometheus_watched, "a minute apart", metrics(interval=60.0), PASS),
    (trust.prometheus_watched, "more than a minute apart", metrics(interval=60.1), UNKNOWN),
    (trust.prometheus_watched, "no time apart", metrics(interval=0.0), UNKNOWN),
    (trust.prometheus_watched, "late to begin", up(*range(15, 76)), UNKNOWN),
    (trust.prometheus_watched, "gone before the end", up(*range(10, 70)), UNKNOWN),
    (trust.prometheus_watched, "one has gaps", metrics(series=(scraped(*range(10, 76)), scraped(10, 75))), UNKNOWN),
    (trust.prometheus_watched, "a series without a sample", up(), UNKNOWN),
    (trust.prometheus_watched, "no series", metrics(series=()), UNKNOWN),
    (trust.prometheus_watched, "no answer", metrics(trouble="connection refused"), UNKNOWN),
    (trust.prometheus_watched, "an interval that is no number", metrics(interval=NAN), UNKNOWN),
    (trust.prometheus_watched, "no phase is judged", a_timeline(scenario=a_scenario(phases=UNJUDGED)), UNKNOWN),
    # Client and Prometheus counted the same. Fault: 240 requests in 20 s; what ended within 1.5 s of an edge, and two
    # scrapes' share (2 / 20 of the count), may differ.
    (trust.witnesses_agree, "agree", GOOD, PASS),
    (trust.witnesses_agree, "2 % more", counted(lambda one: replace(one, total=one.total * 1.02)), PASS),
    (trust.witnesses_agree, "twice as many", counted(lambda one: replace(one, total=one.total * 2)), UNKNOWN),
    (trust.witnesses_agree, "half as many", counted(lambda one: replace(one, total=one.total / 2)), UNKNOWN),
    (trust.witnesses_agree, "bad ones no client saw", counted(lambda one: replace(one, bad=one.bad + 60)), UNKNOWN),
    (trust.witnesses_agree, "Prometheus saw none of 30 bad", a_timeline(bad={"fault": 30}, metrics=NONE_BAD), UNKNOWN),
    (trust.witnesses_agree, "no number for the bad ones", counted(lambda one: replace(one, bad=None)), UNKNOWN),
    (trust.witnesses_agree, "not a number", counted(lambda one: replace(one, total=NAN)), UNKNOWN),
    (trust.witnesses_agree, "nothing counted", metrics(counted=()), UNKNOWN),
    (trust.witnesses_agree, "numbers, and no SLO to ask Prometheus of", asking("invariant"), UNKNOWN),
    (trust.witnesses_agree, "no numbers, and no SLO", asking("alert"), PASS),
    # The watchdog alert kept arriving: 20 s may pass without.
    (trust.alerts_heard, "every 5 s", GOOD, PASS),
    (trust.alerts_heard, "every 20 s", watchdogs(10, 30, 50, 70), PASS),
    (trust.alerts_heard, "21 s of silence", watchdogs(10, 30, 51, 70), UNKNOWN),
    (trust.alerts_heard, "never", watchdogs(), UNKNOWN),
    (trust.alerts_heard, "nothing was received", changed(alerts=()), UNKNOWN),
    # The wall clock ran with the monotonic one.
    (trust.clock_sane, "together", GOOD, PASS),
    (trust.clock_sane, "0.4 s apart", ended(wall=GOOD.anchor.to_wall(77.5)), PASS),
    (trust.clock_sane, "0.5 s apart", ended(t=77.0, wall=GOOD.anchor.to_wall(77.5)), PASS),
    (trust.clock_sane, "0.6 s apart", ended(wall=GOOD.anchor.to_wall(77.7)), UNKNOWN),
    (trust.clock_sane, "an hour back", ended(wall=GOOD.anchor.to_wall(77.1) - 3600), UNKNOWN),
    (trust.clock_sane, "no wall time", ended(), UNKNOWN),
    (trust.clock_sane, "no number", ended(wall=NAN), UNKNOWN),
    (trust.clock_sane, "no end", events(lambda event: event.kind != "end"), UNKNOWN),
]  # fmt: skip


def answer(check, timeline):
    name = check.__name__.replace("_", " ")
    found = {one.__name__: said for one, said in zip(trust.CHECKS, trust.checks(timeline), strict=True)}
    assert check.__name__ in found, name
    return found[check.__name__]


@pytest.mark.parametrize(
    ("check", "timeline", "state"),
    [
        pytest.param(check, timeline, state, id=f"{check.__name__}: {what}")
        for check, what, timeline, state in SITUATIONS
    ],
)
def test_each_check_in_each_situation(check, timeline, state):
    assert answer(check, timeline).state is state


def test_each_check_says_what_it_saw_in_words_that_are_written_down(golden):
    heads = [
        f"{one.name}\n    limit: {one.limit}\n    reason: {one.reason}\n"
        f"    spoils: {', '.join(sorted(one.spoils)) or 'everything'}\n"
        for one in trust.checks(GOOD)
    ]
    said = [
        f"{check.__name__}: {what}\n    {trust._asked(check, story).seen}\n" for check, what, story, _ in SITUATIONS
    ]
    golden(Path(__file__).parent / "golden" / "trust.txt", "\n".join((*heads, *said)))


def test_every_check_is_seen_to_pass_and_not_to_pass():
    for check in trust.CHECKS:
        states = {state for one, _, _, state in SITUATIONS if one is check}
        assert PASS in states
        assert states - {PASS}


def test_a_check_never_fails_a_platform():
    assert all(State.FAIL is not one.state for _, _, timeline, _ in SITUATIONS for one in trust.checks(timeline))


def test_an_empty_record_passes_no_check_but_those_that_ask_nothing_of_it():
    nothing = replace(
        GOOD,
        events=(),
        load=LoadRecord(planned=0, requests=EMPTY, beats=GOOD.load.beats.iloc[:0], ended=False),
        metrics=Metrics(),
        alerts=(),
    )
    assert [one.name for one in trust.checks(nothing) if one.state is PASS] == []


def test_a_check_that_raises_is_unknown_with_its_error():
    broken = changed(load=replace(GOOD.load, requests=GOOD.load.requests.drop(columns="sent")))
    said = answer(trust.load_offered, broken)
    assert (said.name, said.state, said.limit, said.reason) == ("load offered", UNKNOWN, "", "no check, no trust")
    assert said.seen.startswith("the check itself broke: KeyError")


def test_the_client_may_be_late_by_a_tenth_of_the_tightest_bound():
    assert trust.lateness_limit([]) == 0.1
    assert trust.lateness_limit([None]) == 0.1  # no bound
    assert trust.lateness_limit([None, 0.5]) == 0.05
    assert trust.lateness_limit([0.05]) == 0.02  # no client is that punctual
    assert trust.lateness_limit([0.300004]) == 0.03  # in whole microseconds


def test_without_an_slo_there_is_nothing_to_agree_on():
    assert answer(trust.witnesses_agree, a_timeline(scenario=a_scenario(expect=()))).state is PASS


def ended_around_the_fault(total, bad):
    """Scrapes 2 s apart; of 106 requests 12 are bad: ten of the first 100, and those that ended at 30 s and at 50 s."""
    done = [40.0] * 100 + [27.0, 30.0, 33.0, 47.0, 50.0, 53.0]
    outcome = ["cut"] * 10 + ["ok"] * 91 + ["cut", "ok", "ok", "cut", "ok"]
    phases = tuple(replace(phase, judged=phase.name == "fault") for phase in some_phases())
    expect = (SloHolds(slo=an_slo(), during=("fault",), objective=0.99, where=a_place()),)
    return replace(
        GOOD,
        scenario=a_scenario(phases=phases, expect=expect),
        load=replace(GOOD.load, requests=GOOD.load.requests[:106].assign(done=done, outcome=outcome)),
        metrics=Metrics(counted=(Counted(slo=an_slo().id, phase="fault", total=total, bad=bad),), interval=2.0),
    )


def test_the_difference_that_two_witnesses_may_have_by_hand():
    # Ended within [30, 50): 100 + 3, of which 10 + 1 are bad. Within 3 s of an edge, the very 3 s too: 6, of which 2.
    # Two scrapes of 2 s are a fifth of 20 s: 6 + 200 / 5 + 1 = 47 and 2 + 50 / 5 + 2 = 14.
    where = "gateway/availability in fault: client"
    assert answer(trust.witnesses_agree, ended_around_the_fault(200.0, 50.0)).seen == (
        f"{where} 103 requests, Prometheus 200.0, allowed difference 47.0; "
        f"{where} 11 bad ones, Prometheus 50.0, allowed difference 14.0"
    )
    assert answer(trust.witnesses_agree, ended_around_the_fault(0.0, 0.0)).seen == (
        f"{where} 103 requests, Prometheus 0.0, allowed difference 7.0; "
        f"{where} 11 bad ones, Prometheus 0.0, allowed difference 4.0"
    )
    # 137.5 - 103 = 6 + 27.5 + 1
    assert answer(trust.witnesses_agree, ended_around_the_fault(137.5, 11.0)).state is PASS
    assert answer(trust.witnesses_agree, ended_around_the_fault(138.0, 11.0)).state is UNKNOWN


def test_the_number_compared_is_that_of_the_very_slo_and_phase():
    wrong = Counted(slo="gateway/availability", phase="elsewhere", total=240.0, bad=0.0)
    expect = (SloHolds(slo=an_slo(), during=("baseline",), objective=0.99, where=a_place()),)
    timeline = a_timeline(scenario=a_scenario(expect=expect), metrics=replace(GOOD.metrics, counted=(wrong,)))
    assert "Prometheus has no number" in answer(trust.witnesses_agree, timeline).seen
