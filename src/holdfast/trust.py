"""May this record be judged? Each check has a name, a limit with its reason, and what depends on it.

A check never fails a platform: it passes, or it says UNKNOWN, or NOT_RESTORED when a fault may still be there.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from holdfast.expect.base import bad_events
from holdfast.model.scenario import SLIP
from holdfast.model.verdict import Check, State
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from holdfast.model.scenario import Phase
    from holdfast.model.slo import Slo
    from holdfast.model.timeline import Counted, Event, Timeline

NUMBERS: Final = frozenset({"slo", "latency", "compare", "recovery", "budget", "invariant"})
"""Kinds of expectation that rest on request counts."""
WITNESSED: Final = NUMBERS | {"metric"}
"""Those, and what rests on Prometheus under the load that was planned."""

_SHORTFALL: Final = 0.01
_CLOCK_SLIP: Final = 0.5
_WATCHDOG_GAP: Final = 20.0
_SCRAPES_MISSED: Final = 3
_SLOWEST_SCRAPE: Final = 60.0
_CLOCK_GRAIN: Final = 0.001
_ORDER: Final = ("due", "sent", "first", "last", "done")
"""Times of one request, each no earlier than the one before; where one is missing nothing is said."""


def checks(timeline: Timeline) -> tuple[Check, ...]:
    """Every question of trust, answered from the record alone."""
    return tuple(_asked(check, timeline) for check in CHECKS)


def _asked(check: Callable[[Timeline], Check], timeline: Timeline) -> Check:
    """The check's answer; one that raised could not be made, and that is UNKNOWN."""
    try:
        return check(timeline)
    except Exception as error:  # noqa: BLE001 - a check that breaks must never pass
        name = check.__name__.replace("_", " ")
        seen = f"the check itself broke: {type(error).__name__}: {error}"
        return Check(name=name, state=State.UNKNOWN, seen=seen, limit="", reason="no check, no trust")


def _check(
    name: str,
    trouble: str,
    *,
    seen: str,
    limit: str,
    reason: str,
    spoils: Iterable[str] = (),
    bad: State = State.UNKNOWN,
) -> Check:
    state, text = (bad, trouble) if trouble else (State.PASS, seen)
    return Check(name=name, state=state, seen=text, limit=limit, reason=reason, spoils=frozenset(spoils))


def record_whole(timeline: Timeline) -> Check:
    """The run ended by itself and nothing was changed since."""
    stopped = timeline.first("interrupted")
    crashed = timeline.first("failed")
    trouble = "; ".join(timeline.damaged[:3])
    if max(len(timeline.of("end")), len(timeline.of("load", step="started"))) > 1:
        trouble = trouble or "two runs wrote into this record"
    if timeline.first("end") is None:
        trouble = trouble or "the run has no end"
    if crashed:
        trouble = str(crashed.data.get("detail", "the run failed"))
    if stopped:
        trouble = f"interrupted by {stopped.data.get('signal')} at second {stopped.t:.1f}"
    return _check(
        "record whole",
        trouble,
        seen="ended by itself, every digest matches",
        limit="ended, sealed, unchanged",
        reason="half a record proves nothing about the other half",
    )


def phases_kept(timeline: Timeline) -> Check:
    """Every phase happened when the plan said; in a run that may stop early, one after the other and none longer."""
    odd = []
    for phase in timeline.scenario.phases:
        for edge, due in (("start", phase.start), ("end", phase.end)):
            event = timeline.first("phase", name=phase.name, edge=edge)
            if event is None or not abs(event.t - due) <= SLIP:
                odd.append(f"{phase.name} {edge} " + ("never came" if event is None else f"at {event.t:.1f} s"))
        odd += _wrongly_ended(timeline, phase)
    early = sum(1 for phase in timeline.scenario.phases if phase.planned is not None and _is_short(phase))
    return _check(
        "phases kept",
        "; ".join(odd[:3]),
        seen=f"every phase in its turn, {early} ended early" if early else "every phase on time",
        limit=f"each edge within {show_duration(SLIP)}",
        reason="requests are assigned by phase",
    )


def _is_short(phase: Phase) -> bool:
    return not phase.length >= phase.longest - SLIP


def _wrongly_ended(timeline: Timeline, phase: Phase) -> list[str]:
    """What is wrong with the end of a phase that bears the times it was played; in the plan itself, nothing."""
    if phase.planned is None:
        return []
    ends = timeline.of("phase", name=phase.name, edge="end")
    took = f"{phase.name} took {phase.length:.1f} s of {show_duration(phase.planned)}"
    if timeline.scenario.stop != "early" or len(ends) != 1 or not phase.length <= phase.planned + SLIP:
        return [took]
    if not phase.length >= phase.shortest - SLIP:
        return [f"{took}, at least {show_duration(phase.shortest)} are needed"]
    return [f"{took}, and nothing says why"] if _is_short(phase) and ends[0].data.get("early") is not True else []


def load_offered(timeline: Timeline) -> Check:
    """The planned arrivals were really sent, to the end; or to where the run cut the load, when it may stop early."""
    load = timeline.load
    sent = int(load.requests["sent"].notna().sum())
    started = timeline.first("load", step="started")
    expected = started.data.get("expected") if started else None
    wanted, trouble = _wanted(timeline)
    missing = wanted - sent
    if trouble:
        pass
    elif not load.ended:
        trouble = f"the load generator stopped early: {sent} of {wanted} requests sent"
    elif wanted == 0:
        trouble = "no request was planned"
    elif load.planned != expected:
        trouble = f"the load generator planned {load.planned} requests, the plan says {expected}"
    elif len(load.requests) > wanted or load.requests["due"].isna().any():
        trouble = f"{len(load.requests)} requests are recorded, {wanted} were planned"
    elif load.requests["id"].isna().any() or load.requests["id"].duplicated().any():
        trouble = "a request is recorded twice"
    elif missing > _SHORTFALL * wanted:
        trouble = f"{missing} of {wanted} planned requests were never sent ({load.dropped} over the in-flight cap)"
    return _check(
        "load offered",
        trouble,
        seen=f"{sent} of {wanted} requests sent",
        limit=f"at most {show_ratio(_SHORTFALL)} short",
        reason="a target spared part of the load was not tested",
        spoils=WITNESSED,
    )


def _wanted(timeline: Timeline) -> tuple[int, str]:
    """How many requests had to be offered, and what is wrong with the word that cut the load at the end of the run."""
    planned, cuts = timeline.load.planned, timeline.of("load", step="cut")
    if not cuts:
        return planned, ""
    until, expected = cuts[0].data.get("until"), cuts[0].data.get("expected")
    if len(cuts) > 1 or timeline.scenario.stop != "early":
        return planned, "the load was cut, and nothing in the scenario allows that"
    if not isinstance(expected, int) or not 0 <= expected <= planned or not isinstance(until, int | float):
        return planned, f"the load was cut at {until!r} s with {expected!r} of {planned} requests"
    if not abs(until - timeline.scenario.length) <= SLIP or not cuts[0].t <= until:
        return planned, f"the load was cut at {until:.1f} s, the run ended at {timeline.scenario.length:.1f} s"
    after = int((timeline.load.requests["due"] >= until).sum())
    return expected, f"{after} requests were offered after the load was cut" if after else ""


def load_on_time(timeline: Timeline) -> Check:
    """Requests left when they were due, and the client's own loop was not late."""
    requests, beats = timeline.load.requests, timeline.load.beats
    limit = lateness_limit(one.bound for one in timeline.scenario.expect)
    late = (requests["sent"] - requests["due"]).dropna()
    lag = beats["lag"].where(beats["t"].notna()).dropna()
    trouble = ""
    if late.empty or lag.empty:
        seen = trouble = "the load generator recorded no timing"
    else:
        # A beat holds the worst of a quarter second, so its p95 is stricter than a p99 over all moments.
        p99, loop = float(late.quantile(0.99)), float(lag.quantile(0.95))
        seen = f"p99 lateness {show_duration(round(p99, 4))}, p95 loop lag {show_duration(round(loop, 4))}"
        # Each by itself: of two numbers, one of them NaN, max() gives the first.
        trouble = "" if p99 <= limit and 0 <= loop <= limit else seen
        trouble = trouble or _disorder(requests)
    return _check(
        "load on time",
        trouble,
        seen=seen,
        limit=f"at most {show_duration(limit)}",
        reason="a tenth of the tightest latency bound: a later client measures itself",
        spoils=NUMBERS,
    )


def _disorder(requests: pd.DataFrame) -> str:
    """What in the table happened before its cause; a negative latency would be the best of all."""
    for before, after in pairwise(_ORDER):
        early = (requests[after] - requests[before]) < -_CLOCK_GRAIN
        if early.any():
            return f"{int(early.sum())} requests have {after} before {before}"
    return ""


def lateness_limit(bounds: Iterable[float | None]) -> float:
    """Seconds by which the client may be late: a tenth of the tightest latency bound, 20 ms at least, else 100 ms."""
    known = [bound for bound in bounds if bound is not None]
    return max(0.02, round(min(known) / 10, 6)) if known else 0.1


def fault_bit(timeline: Timeline) -> Check:
    """Every phase with an experiment saw its fault bite, and played its method whole."""
    missed = []
    for phase in timeline.scenario.phases:
        steps = timeline.of("fault", phase=phase.name)
        # One that bites only after its phase left the phase without a fault.
        seen = {one.data.get("id") for one in steps if one.data.get("step") == "observed" and _within(one.t, phase)}
        struck = {event.data.get("id") for event in steps if event.data.get("step") in _BEGUN}
        if phase.chaos and not (seen and seen >= struck):
            why = next((str(event.data["detail"]) for event in steps if event.data.get("detail")), "nothing was struck")
            why = "not seen while the phase lasted" if struck and why == "nothing was struck" else why
            missed.append(f"{phase.chaos} in phase {phase.name}: {why}")
    # A second action that raised before it struck left no step: only the experiment's own end tells of it.
    missed += [f"not played whole: {one.data['detail']}" for one in _ended(timeline, "detail")]
    return _check(
        "fault seen to bite",
        "; ".join(missed),
        seen="every fault was seen to bite",
        limit="each one",
        reason="a fault that missed tests nothing",
    )


def fault_gone(timeline: Timeline) -> Check:
    """Every fault that was asked for was seen gone, and every role is ready again."""
    steps = timeline.of("fault")
    gone = {event.data.get("id") for event in steps if event.data["step"] in _OVER and math.isfinite(event.t)}
    asked = {event.data.get("id"): event for event in steps}
    stuck = [f"{event.data['fault']} of {event.data['target']}" for key, event in asked.items() if key not in gone]
    trouble, bad = (f"never seen gone: {', '.join(stuck)}" if stuck else ""), State.NOT_RESTORED
    after = timeline.first("restored")
    if not trouble and after is not None and after.data.get("ok") is not True:
        trouble = f"not ready at the end: {after.data.get('detail')}"
        # What this run never struck is not its fault to restore, but a platform in pieces proves nothing either.
        bad = State.UNKNOWN if after.data.get("ours") is False else State.NOT_RESTORED
    if not trouble and after is not None and not all(event.t <= after.t for event in steps):
        trouble, bad = "nobody looked after the last fault whether the platform is ready", State.UNKNOWN
    if not trouble and after is None:
        trouble, bad = "nobody looked whether the platform is ready", State.UNKNOWN
    failed = [f"rollback {one.data['left']}" for one in _ended(timeline, "left")]
    if failed and not (trouble and bad is State.NOT_RESTORED):
        trouble, bad = "; ".join(failed), State.NOT_RESTORED
    return _check(
        "platform restored",
        trouble,
        seen="every fault seen gone",
        limit="each one, and every replica ready",
        reason="a fault must not outlive its run",
        bad=bad,
    )


def _ended(timeline: Timeline, trouble: str) -> list[Event]:
    """Experiments whose end tells of trouble."""
    return [event for event in timeline.of("chaos") if event.data.get(trouble)]


def _within(t: float, phase: Phase) -> bool:
    return phase.start - SLIP <= t <= phase.end + SLIP


_BEGUN: Final = ("asked", "refused", "applied")
_OVER: Final = ("gone", "refused")


def prometheus_watched(timeline: Timeline) -> Check:
    """Prometheus answered, and scraped without gaps through the judged phases."""
    trouble = timeline.metrics.trouble
    series = [one for one in timeline.metrics.series if one.name == "up"]
    if not trouble and not series:
        trouble = "no scrape was recorded"
    if not trouble and not 0 < timeline.metrics.interval <= _SLOWEST_SCRAPE:
        trouble = f"a scrape interval of {timeline.metrics.interval:g} s"
    most = _SCRAPES_MISSED * timeline.metrics.interval + 0.5
    gaps = [] if trouble else [_gap([t for t, _ in one.points], timeline.scenario.phases) for one in series]
    widest = max(gaps, default=0.0)
    if not trouble and not widest <= most:
        trouble = f"a scrape gap of {show_duration(round(widest, 1))}"
    return _check(
        "prometheus watched",
        trouble,
        seen=f"widest scrape gap {show_duration(round(widest, 1))}",
        limit=f"no gap over {show_duration(most)}",
        reason="the second witness must have looked",
        spoils=WITNESSED,
    )


def _gap(times: list[float], phases: tuple[Phase, ...]) -> float:
    judged = [phase for phase in phases if phase.judged]
    start, end = judged[0].start, judged[-1].end
    inside = [start, *sorted(t for t in times if start < t < end), end]
    return max(after - before for before, after in pairwise(inside))


def witnesses_agree(timeline: Timeline) -> Check:
    """Client and Prometheus counted the same requests in each judged phase, within what their timing allows."""
    far = []
    if not timeline.scenario.slos() and any(one.kind in NUMBERS for one in timeline.scenario.expect):
        far = ["no SLO is named, so Prometheus was not asked"]
    for slo in timeline.scenario.slos():
        for phase in timeline.scenario.phases:
            if phase.judged:
                far += _disagreement(timeline, slo, phase)
    return _check(
        "witnesses agree",
        "; ".join(far[:2]),
        seen="client and Prometheus agree",
        limit="requests that ended within 1.5 scrapes of a phase's edge, and 2 scrapes' extrapolation",
        reason="two witnesses that disagree prove nothing",
        spoils=WITNESSED,
    )


def _disagreement(timeline: Timeline, slo: Slo, phase: Phase) -> list[str]:
    counted = next((one for one in timeline.metrics.counted if (one.slo, one.phase) == (slo.id, phase.name)), None)
    where = f"{slo.id} in {phase.name}"
    numbers = (counted.total, counted.bad) if counted else (None,)
    if counted is None or not all(one is not None and math.isfinite(one) for one in numbers):
        return [f"{where}: Prometheus has no number"]
    mine = _client_counts(timeline, slo, phase, counted)
    return [
        f"{where}: client {client:.0f} {what}, Prometheus {server:.1f}, allowed difference {allowed:.1f}"
        for what, client, server, allowed in mine
        if not abs(client - server) <= allowed
    ]


def _client_counts(
    timeline: Timeline, slo: Slo, phase: Phase, counted: Counted
) -> list[tuple[str, float, float, float]]:
    """(what, client's count by end time, Prometheus' count, allowed difference) for all and for bad requests.

    Prometheus sees a request when it ends, up to a scrape later, and `rate` extrapolates over up to a scrape at both
    edges: so what ended near an edge, and two scrapes' share of the count, may differ.
    """
    requests = timeline.load.requests
    ended = requests[requests["done"].notna()]
    near = 1.5 * timeline.metrics.interval
    edges = ((ended["done"] - phase.start).abs() <= near) | ((ended["done"] - phase.end).abs() <= near)
    inside = (ended["done"] >= phase.start) & (ended["done"] < phase.end)
    bad = bad_events(ended, slo)
    share = 2 * timeline.metrics.interval / phase.length
    return [
        ("requests", inside.sum(), counted.total or 0.0, edges.sum() + share * (counted.total or 0.0) + 1),
        ("bad ones", (inside & bad).sum(), counted.bad or 0.0, (edges & bad).sum() + share * (counted.bad or 0.0) + 2),
    ]


def alerts_heard(timeline: Timeline) -> Check:
    """The watchdog alert kept arriving, so that silence means silence."""
    times = [event.t for event in timeline.alerts if event.name == "Watchdog"]
    gap = _gap(times, timeline.scenario.phases)
    trouble = "" if gap <= _WATCHDOG_GAP else f"no watchdog for {show_duration(round(gap, 1))}"
    return _check(
        "alert path alive",
        trouble,
        seen=f"{len(times)} watchdogs",
        limit=f"one every {show_duration(_WATCHDOG_GAP)}",
        reason="an alert path that is dead is silent too",
        spoils={"alert"},
    )


def clock_sane(timeline: Timeline) -> Check:
    """The wall clock, by which Prometheus and alerts are placed, ran with the monotonic one."""
    end = timeline.first("end")
    wall = end.data.get("wall") if end else None
    slip = abs(timeline.anchor.from_wall(float(wall)) - end.t) if end and wall is not None else None
    trouble = ""
    if slip is None:
        trouble = "the run has no end to compare clocks at"
    elif not math.isfinite(slip):
        trouble = "the wall clock told no time"
    elif slip > _CLOCK_SLIP:
        trouble = f"the wall clock jumped by {show_duration(round(slip, 2))}"
    return _check(
        "clock sane",
        trouble,
        seen="wall and monotonic clock agree",
        limit=f"at most {show_duration(_CLOCK_SLIP)} apart",
        reason="Prometheus and alerts are placed by wall time",
    )


CHECKS: Final[tuple[Callable[[Timeline], Check], ...]] = (
    record_whole,
    phases_kept,
    load_offered,
    load_on_time,
    fault_bit,
    fault_gone,
    prometheus_watched,
    witnesses_agree,
    alerts_heard,
    clock_sane,
)
