"""Builders of whole, consistent, seeded examples: scenarios, timelines and reports for tests, ours and yours.

The default story, 75 s at 12 requests/s: warmup 10 s, baseline 20 s, fault 20 s, recovery 25 s; engine-2 is killed at
31 s and back at 36.5 s; the four requests due next after the kill are cut; EngineDown fires at 38 s, clears at 46 s.
Arrivals are evenly spaced, so counts are plain products: baseline has 20 x 12 = 240 requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from holdfast.clock import Anchor
from holdfast.errors import Location
from holdfast.expect.alert import AlertFires
from holdfast.expect.base import bad_events, valid_events
from holdfast.expect.recovery import RecoversWithin
from holdfast.expect.slo import SloHolds
from holdfast.model.load import LoadProfile, schedule
from holdfast.model.scenario import Expectation, Experiment, Phase, Scenario
from holdfast.model.slo import Events, Slo
from holdfast.model.timeline import AlertEvent, Counted, Event, LoadRecord, Metrics, Series, Timeline
from holdfast.model.verdict import Check, Evidence, Report, State, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

RATE: Final = 12.0
LENGTHS: Final = {"warmup": 10.0, "baseline": 20.0, "fault": 20.0, "recovery": 25.0}
KILL: Final = {"asked": 31.0, "applied": 31.02, "observed": 31.1, "undone": 33.0, "gone": 36.5}
"""Steps of the default fault, in seconds from run start."""
ANCHOR: Final = Anchor(monotonic=1000.0, wall=1_772_360_100.0)
ENGINES: Final = ("engine-1", "engine-2", "engine-3")


def a_place(line: int = 1, file: str = "scenarios/engine-kill.yaml", column: int = 5) -> Location:
    """A line of the scenario file."""
    return Location(file=file, line=line, column=column)


def an_slo(**changes: Any) -> Slo:
    """gateway/availability at 99 %; any field by keyword."""
    kept = {
        "service": "gateway",
        "name": "availability",
        "objective": 0.99,
        "indicator": Events(
            error_query='sum(rate(gateway_requests_total{code=~"5.."}[{{.window}}]))',
            total_query="sum(rate(gateway_requests_total[{{.window}}]))",
        ),
        "sli": "availability",
        "where": Location(file="slos/gateway.yaml", line=7, column=5),
    }
    return Slo(**{**kept, **changes})


def a_ttft_slo(**changes: Any) -> Slo:
    """gateway/ttft: 95 % of answers start within 300 ms; any field by keyword."""
    return an_slo(**{"name": "ttft", "objective": 0.95, "sli": "ttft", "bound": 0.3, **changes})


def a_profile(**changes: Any) -> LoadProfile:
    """Evenly spaced arrivals at 12/s; any field by keyword."""
    kept = {
        "name": "chat",
        "arrivals": "constant",
        "rate": RATE,
        "prompt_tokens": 120,
        "answer_tokens": 40,
        "spread": 0.3,
        "trace": None,
        "speed": 1.0,
        "max_in_flight": 200,
        "timeout": 20.0,
        "model": "sim",
    }
    return LoadProfile(**{**kept, **changes})


def some_phases(lengths: Mapping[str, float] = LENGTHS, *, chaos: str | None = "engine-kill") -> tuple[Phase, ...]:
    """Phases back to back; `warmup` is not judged, `fault` carries the experiment `chaos`."""
    ends = np.cumsum([*lengths.values()]).tolist()
    return tuple(
        Phase(name=name, start=end - length, end=end, judged=name != "warmup", chaos=chaos if name == "fault" else None)
        for (name, length), end in zip(lengths.items(), ends, strict=True)
    )


def some_expectations(line: int = 14) -> tuple[Expectation, ...]:
    """Availability before and after, availability under the fault, TTFT, recovery, and the alert."""
    up, fast = an_slo(), a_ttft_slo()
    calm = ("baseline", "recovery")
    return (
        SloHolds(slo=up, during=calm, objective=0.99, where=a_place(line)),
        SloHolds(slo=up, during=("fault",), objective=0.9, where=a_place(line + 1)),
        SloHolds(slo=fast, during=calm, objective=0.95, where=a_place(line + 2)),
        RecoversWithin(slo=up, within=15.0, where=a_place(line + 3)),
        AlertFires(alert="EngineDown", severity="page", fires_within=10.0, clears_within=30.0, where=a_place(line + 4)),
    )


def a_scenario(
    *,
    rate: float = RATE,
    lengths: Mapping[str, float] = LENGTHS,
    expect: tuple[Expectation, ...] | None = None,
    chaos: str | None = "engine-kill",
    **changes: Any,
) -> Scenario:
    """engine-kill; other `Scenario` fields by keyword. `chaos=None` is a scenario without a fault."""
    kept = {
        "name": "engine-kill",
        "title": "One of three engines dies under chat load",
        "labels": {"gate": "staging-to-prod"},
        "seed": 7,
        "load": a_profile(rate=rate),
        "phases": some_phases(lengths, chaos=chaos),
        "expect": some_expectations() if expect is None else expect,
        "experiments": {chaos: an_experiment(chaos)} if chaos else {},
        "where": a_place(1, column=1),
    }
    return Scenario(**{**kept, **changes})


def an_experiment(name: str = "engine-kill", *, roles: tuple[str, ...] = ("engine",)) -> Experiment:
    """A Chaos Toolkit document with nothing in its method."""
    document = {"version": "1.0.0", "title": name, "description": name, "method": []}
    return Experiment(name=name, title=name, document=document, roles=roles, where=a_place(1, f"chaos/{name}.json", 1))


def some_requests(
    scenario: Scenario,
    *,
    bad: Mapping[str, int] | None = None,
    slow: Mapping[str, int] | None = None,
    outcome: str = "cut",
    lateness: float = 0.002,
    ttft: float = 0.12,
    slow_ttft: float = 1.5,
    struck: float = KILL["applied"],
    seed: int = 7,
) -> pd.DataFrame:
    """One row per arrival of the scenario's schedule.

    `bad` and `slow` say how many requests of a phase end as `outcome` or start after about `slow_ttft` seconds: those
    due first, at or after second `struck` where the phase has such. `slow` ones come after the `bad` ones. A "cut"
    request had half its tokens; any other bad outcome is a 502 without a token.
    """
    random = np.random.default_rng(seed)
    plan = schedule(scenario.load, seed=scenario.seed, length=scenario.length)
    due = np.array([one.due for one in plan], dtype=float)
    tokens = np.array([one.answer_tokens for one in plan], dtype=int)
    bad = {"fault": 4} if bad is None else bad
    is_bad = _chosen(scenario, due, bad, np.zeros(len(due), dtype=bool), struck)
    is_slow = _chosen(scenario, due, slow or {}, is_bad, struck)
    sent = due + lateness * random.uniform(0.5, 1.0, len(due))
    first = sent + np.where(is_slow, slow_ttft, ttft) * random.uniform(0.8, 1.2, len(due))
    lost = is_bad & (outcome != "cut")
    got = np.where(is_bad, np.where(lost, 0, tokens // 2), tokens)
    done = np.where(lost, sent + 0.05, first + got * 0.01)
    return pd.DataFrame(
        {
            "id": np.arange(len(due)),
            "due": due,
            "sent": sent,
            "first": np.where(lost, np.nan, first),
            "last": np.where(lost, np.nan, done),
            "done": done,
            "status": np.where(lost, 502.0, 200.0),
            "outcome": np.where(is_bad, outcome, "ok"),
            "error": np.where(is_bad, np.where(lost, "502: no engine", "the stream ended without [DONE]"), ""),
            "prompt_tokens": [one.prompt_tokens for one in plan],
            "asked_tokens": tokens,
            "tokens": got,
            "max_gap": np.where(lost, np.nan, 0.012),
            "model": scenario.load.model,
            "content": "",
        }
    )


def _chosen(
    scenario: Scenario, due: np.ndarray, wanted: Mapping[str, int], taken: np.ndarray, struck: float
) -> np.ndarray:
    chosen = np.zeros(len(due), dtype=bool)
    for name, count in wanted.items():
        phase = scenario.phase(name)
        start = max(phase.start, struck) if phase.start <= struck < phase.end else phase.start
        free = np.flatnonzero((due >= start) & (due < phase.end) & ~taken & ~chosen)
        if count > len(free):
            raise ValueError(f"{count} requests of phase {name} wanted, {len(free)} are left")
        chosen[free[:count]] = True
    return chosen


def some_beats(requests: pd.DataFrame, length: float, *, lag: float = 0.001, cpu: float = 0.2) -> pd.DataFrame:
    """One heartbeat a second, counting the requests as they were due and sent."""
    t = np.arange(0.0, length + 1.0)
    due, sent, done = (np.sort(requests[name].to_numpy(dtype=float)) for name in ("due", "sent", "done"))
    offered, started, ended = (np.searchsorted(column, t) for column in (due, sent, done))
    counts = {"in_flight": started - ended, "offered": offered, "sent": started}
    return pd.DataFrame({"t": t, "lag": lag, "cpu": cpu, **counts, "worker": np.nan})


def some_metrics(scenario: Scenario, requests: pd.DataFrame, *, down: tuple[float, float] | None = None) -> Metrics:
    """What a Prometheus that agrees with the clients would say; engine-2 has no samples while it is `down`."""
    valid = valid_events(requests)
    counted = tuple(
        Counted(slo=slo.id, phase=phase.name, total=float(len(inside)), bad=float(bad_events(inside, slo).sum()))
        for slo in scenario.slos()
        for phase in scenario.phases
        for inside in [valid[(valid["due"] >= phase.start) & (valid["due"] < phase.end)]]
    )
    return Metrics(counted=counted, series=some_engine_series(requests, scenario.length, down=down), interval=1.0)


def some_engine_series(
    requests: pd.DataFrame, length: float, *, down: tuple[float, float] | None = None
) -> tuple[Series, ...]:
    """Requests take the engines in turn and wait until their first token; engine-2 says nothing while it is `down`."""
    sent, first, done = (requests[name].to_numpy(dtype=float) for name in ("sent", "first", "done"))
    start, end = down or (0.0, 0.0)
    turn = np.arange(len(requests)) % len(ENGINES)
    engine = np.where((turn == 1) & (sent >= start) & (sent < end), 2, turn)
    scrapes = tuple((t, 1.0) for t in np.arange(0.0, length + 1.0).tolist())
    series = [Series(name="up", labels={"instance": "gateway"}, points=scrapes)]
    for name, begin, until in (("engine_running", first, done), ("engine_waiting", sent, np.fmin(first, done))):
        for place, instance in enumerate(ENGINES):
            mine = engine == place
            times = [t for t in np.arange(0.0, length + 1.0).tolist() if place != 1 or not start <= t < end]
            points = tuple((t, float(((begin <= t) & (until > t) & mine).sum())) for t in times)
            series.append(Series(name=name, labels={"instance": instance}, points=points))
    return tuple(series)


def fault_steps(
    steps: Mapping[str, float] = KILL,
    *,
    experiment: str = "engine-kill",
    fault: str = "kill-engine",
    target: str = "engine-2",
    phase: str = "fault",
    detail: str = "",
) -> tuple[Event, ...]:
    """One event per step (asked, applied, observed, undone, gone, failed); leave one out and it never happened."""
    same = {
        "id": f"{experiment}/{fault}/{target}",
        "phase": phase,
        "experiment": experiment,
        "fault": fault,
        "target": target,
        "detail": detail,
    }
    return tuple(Event(t=t, kind="fault", data={**same, "step": step}) for step, t in steps.items())


def an_alert(
    name: str = "EngineDown", *, fired: float | None, cleared: float | None, severity: str = "page"
) -> tuple[AlertEvent, ...]:
    """Its firing and its resolved notification; None leaves one out."""
    times = (("firing", fired), ("resolved", cleared))
    return tuple(AlertEvent(t=t, name=name, status=status, severity=severity) for status, t in times if t is not None)


def some_watchdogs(length: float, every: float = 5.0) -> tuple[AlertEvent, ...]:
    """The alert that always fires, as the receiver got it again and again."""
    times = np.arange(0.0, length + every, every).tolist()
    return tuple(AlertEvent(t=t, name="Watchdog", status="firing", severity="none") for t in times)


def some_events(
    scenario: Scenario,
    faults: Iterable[Event] = (),
    *,
    expected: int = 0,
    complete: bool = True,
    anchor: Anchor = ANCHOR,
) -> tuple[Event, ...]:
    """What the harness writes down around the faults, in order; without restoration and end when not `complete`."""
    over = scenario.length
    edges = [(edge, phase) for phase in scenario.phases for edge in ("start", "end")]
    events = [
        Event(t=0.0, kind="run", data={"scenario": scenario.name}),
        Event(t=0.0, kind="load", data={"step": "started", "expected": expected}),
        *(Event(t=getattr(one, edge), kind="phase", data={"name": one.name, "edge": edge}) for edge, one in edges),
        *faults,
        Event(t=over + 0.5, kind="load", data={"step": "ended"}),
    ]
    if complete:
        events += [
            Event(t=over + 0.6, kind="restored", data={"ok": True, "detail": ""}),
            Event(t=over + 2.0, kind="collected", data={"source": "prometheus", "ok": True, "detail": ""}),
            Event(t=over + 2.1, kind="end", data={"complete": True, "wall": anchor.to_wall(over + 2.1)}),
        ]
    return tuple(sorted(events, key=lambda event: event.t))


def a_timeline(
    *,
    scenario: Scenario | None = None,
    faults: Sequence[Event] | None = None,
    alerts: tuple[AlertEvent, ...] | None = None,
    watchdog: bool = True,
    complete: bool = True,
    dropped: int = 0,
    edit: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    metrics: Metrics | None = None,
    changes: Mapping[str, Any] | None = None,
    **requests: Any,
) -> Timeline:
    """The default story; `requests` are the keywords of `some_requests`, `changes` replace `Timeline` fields.

    `edit` alters the request table before Prometheus counts it, so both witnesses agree unless `metrics` is given.
    """
    scenario = scenario or a_scenario()
    has_fault = any(phase.chaos for phase in scenario.phases)
    rows = some_requests(scenario, **({} if has_fault else {"bad": {}}) | requests)
    rows = edit(rows) if edit else rows
    if faults is None:
        faults = fault_steps() if has_fault else ()
    if alerts is None:
        alerts = an_alert(fired=38.0, cleared=46.0) if has_fault else ()
    times = {step: min((one.t for one in faults if one.data.get("step") == step), default=np.inf) for step in KILL}
    down = (times["applied"], times["gone"])
    kept = {
        "run": "20260301-101500-engine-kill",
        "scenario": scenario,
        "anchor": ANCHOR,
        "events": some_events(scenario, faults, expected=len(rows) + dropped, complete=complete),
        "load": LoadRecord(
            planned=len(rows) + dropped,
            requests=rows,
            beats=some_beats(rows, scenario.length),
            ended=complete,
            dropped=dropped,
        ),
        "metrics": metrics or some_metrics(scenario, rows, down=down),
        "alerts": tuple(
            sorted((*alerts, *(some_watchdogs(scenario.length) if watchdog else ())), key=lambda one: one.t)
        ),
    }
    return Timeline(**{**kept, **(changes or {})})


def a_verdict(state: State = State.PASS, **changes: Any) -> Verdict:
    """An availability verdict: 540 requests of baseline and recovery, worth 449, none bad, at most 0.67 % proven."""
    kept = {
        "id": "slo:gateway/availability[baseline,recovery]",
        "kind": "slo",
        "state": state,
        "sentence": "0 of 540 requests were bad; at most 0.67 % may be, and 1 % is allowed.",
        "evidence": Evidence(
            n=540,
            bad=0,
            n_eff=449.0,
            estimate=0.0,
            low=0.0,
            high=0.00665,
            limit=0.01,
            unit="ratio",
            method="Clopper-Pearson",
            alpha=0.05,
            p=1.0,
            other={"prometheus total": 540.0, "prometheus bad": 0.0},
        ),
        "where": a_place(14),
    }
    return Verdict(**{**kept, **changes})


def a_check(state: State = State.PASS, **changes: Any) -> Check:
    """The load generator kept its schedule, or not."""
    kept = {
        "name": "load kept its schedule",
        "state": state,
        "seen": "99 % of requests were sent within 2 ms of due",
        "limit": "99 % within 20 ms",
        "reason": "a late request measures the generator, not the platform",
    }
    return Check(**{**kept, **changes})


def a_report(
    verdicts: tuple[Verdict, ...] | None = None, checks: tuple[Check, ...] | None = None, **changes: Any
) -> Report:
    """One verdict and one check, both passed; the state is the worst of them unless given."""
    verdicts = (a_verdict(),) if verdicts is None else verdicts
    checks = (a_check(),) if checks is None else checks
    nothing = () if verdicts else (State.UNKNOWN,)
    kept = {
        "scenario": "engine-kill",
        "title": "One of three engines dies under chat load",
        "run": "20260301-101500-engine-kill",
        "state": worst([*(one.state for one in verdicts), *(one.state for one in checks), *nothing]),
        "verdicts": verdicts,
        "checks": checks,
        "provenance": {"holdfast": "0.1.0", "python": "3.11.7", "seed": "7", "machine": "2 cores"},
    }
    return Report(**{**kept, **changes})
