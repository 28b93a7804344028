"""One probe of a capacity search with the real generator: a steady rate for a while, its record, and the judgement."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.capacity.probe import Objective, Outcomes, Probe, Seen, judge, silent
from holdfast.capacity.search import Ask, enough
from holdfast.errors import InfrastructureError
from holdfast.expect.base import bad_requests, valid_events
from holdfast.load import cut, process
from holdfast.load.command import command
from holdfast.load.live import Pulse, Tail
from holdfast.model.verdict import State
from holdfast.store.load import LINES, parse_lines
from holdfast.trust import lateness_limit
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from holdfast.clock import Clock
    from holdfast.load.process import LoadProcess
    from holdfast.model.load import LoadProfile
    from holdfast.model.slo import Slo
    from holdfast.model.timeline import LoadRecord
    from holdfast.run import Stop

_STARTS: Final = 60.0
"""Seconds for the generator to start in, also on a machine that has much else to do."""
_TICK: Final = 0.1
_LOOK: Final = 1.0
"""Seconds between two judgements of a probe that goes on; each reads all that is known."""
_AHEAD: Final = 0.5
"""Seconds from telling the load to stop to its last request, so that it has surely heard."""
_DRAIN: Final = 10.0
_SHORTFALL: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One look at a search in progress, for a person watching; times in seconds."""

    number: int
    ask: Ask
    t: float
    pulse: Pulse
    so_far: Probe | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Everything that a probe needs and that stays the same through a search."""

    root: Path
    host: str
    profile: LoadProfile
    slos: tuple[Slo, ...]
    seed: int
    alpha: float
    clock: Clock
    stop: Stop
    watch: Callable[[Glance], None]
    environment: Mapping[str, str]
    """Of the generator; HOLDFAST_API_KEY among them."""


def objective_of(slo: Slo) -> Objective:
    """What a search asks of an SLO."""
    return Objective(name=slo.id, limit=slo.budget, bound=slo.bound)


def probe(rig: Rig, ask: Ask, *, number: int, folder: Path) -> Probe:
    """Offer a rate until enough is known, wait for the last answer, judge the whole record in `folder`.

    Each probe has a seed of its own, so that no cache knows its prompts. Raises InfrastructureError when the generator
    did not start or ended early by itself.
    """
    folder.mkdir(parents=True)
    load = _start(rig, ask, folder, number=number)
    try:
        zero = _begun(rig, load, folder / LINES)
        until = _offer(rig, ask, load, Tail(folder / LINES, keeps=True), number=number, zero=zero)
        _wait(rig, lambda: not load.alive(), zero + until + rig.profile.timeout + _DRAIN)
    finally:
        load.stop(5)
    record, torn = parse_lines(_text(folder / LINES))
    seen = _seen(rig, record.requests, ask.rate, until, doubt=_doubt(rig, record, torn=torn))
    found = _spared(judge(seen, rig.alpha), record)
    return dataclasses.replace(found, number=number, why=ask.why, silent=silent(seen))


def _start(rig: Rig, ask: Ask, folder: Path, *, number: int) -> LoadProcess:
    words = command(
        dataclasses.replace(rig.profile, rate=ask.rate),
        locustfile=rig.root / "loadtests" / "chat.py",
        host=rig.host,
        records=folder / LINES,
        seed=rig.seed + number,
        length=round(ask.seconds, 3),
        epoch=None,
        python=sys.executable,
    )
    return process.start(words, cwd=rig.root, environment=rig.environment, log=folder / "load.log")


def _begun(rig: Rig, load: LoadProcess, records: Path) -> float:
    """The moment from which requests are due: it begins when it is ready, so that none is late before the first."""
    deadline = rig.clock.monotonic() + _STARTS
    while not rig.stop.signal:
        first, whole, _ = _text(records).partition("\n")
        if whole:
            return float(json.loads(first)["epoch_monotonic"])
        if not load.alive() or rig.clock.monotonic() > deadline:
            raise InfrastructureError(f"the load generator did not start:\n{load.last_words()}", hint=f"see {load.log}")
        rig.clock.sleep(_TICK)
    return rig.clock.monotonic()


def _text(records: Path) -> str:
    return records.read_text(encoding="utf-8", errors="replace") if records.exists() else ""


def _offer(rig: Rig, ask: Ask, load: LoadProcess, tail: Tail, *, number: int, zero: float) -> float:
    """Look on until the probe may end; the second until which requests were offered."""
    so_far, looked = None, ask.least
    while (now := rig.clock.monotonic() - zero) < ask.seconds and not rig.stop.signal:
        tail.look()
        if not load.alive() and not tail.ended:
            raise InfrastructureError(f"the load generator stopped early:\n{load.last_words()}", hint=f"see {load.log}")
        if now >= looked and tail.known.until >= ask.least / 2:
            looked = now + _LOOK
            so_far = judge(_seen(rig, tail.known.table(), ask.rate, tail.known.until), rig.alpha)
            # How long requests were offered decides when it may end, not how many of them have ended.
            if enough(ask, dataclasses.replace(so_far, seconds=now)):
                return _cut(tail.path, now + _AHEAD, ask.seconds)
        rig.watch(Glance(number=number, ask=ask, t=now, pulse=tail.pulse(), so_far=so_far))
        rig.clock.sleep(_TICK)
    return ask.seconds if not rig.stop.signal else _cut(tail.path, max(0.0, now) + _AHEAD, ask.seconds)


def _cut(records: Path, at: float, planned: float) -> float:
    until = round(at, 3)
    if until >= planned:
        return planned
    cut.tell(records, until)
    return until


def _wait(rig: Rig, done: Callable[[], bool], deadline: float) -> None:
    while not done() and rig.clock.monotonic() < deadline:
        rig.clock.sleep(_TICK)


def _seen(rig: Rig, table: pd.DataFrame, rate: float, until: float, *, doubt: str = "") -> Seen:
    """The requests due before `until` as events of each objective, by the same rule as the verdict on a run."""
    requests = valid_events(table)
    requests = requests[requests["due"] < until].sort_values("due")
    return Seen(
        rate=rate,
        seconds=until if math.isfinite(until) else 0.0,
        due=requests["due"].to_numpy(dtype=float),
        done=requests["done"].where(requests["outcome"] == "ok").to_numpy(dtype=float),
        outcomes=tuple(_outcomes(requests, slo) for slo in rig.slos),
        late=doubt,
    )


def _outcomes(requests: pd.DataFrame, slo: Slo) -> Outcomes:
    reached = requests["done" if slo.sli == "e2e" else "first"]
    return Outcomes(
        objective=objective_of(slo),
        bad=bad_requests(requests, slo.sli, slo.bound).to_numpy(dtype=bool),
        latency=(reached - requests["due"]).to_numpy(dtype=float),
    )


def _doubt(rig: Rig, record: LoadRecord, *, torn: bool) -> str:
    """Why the client's own timing cannot be trusted; empty when it can."""
    if torn or not record.ended:
        return "the load generator did not end by itself"
    limit = lateness_limit(slo.bound for slo in rig.slos)
    late = (record.requests["sent"] - record.requests["due"]).dropna()
    lag = record.beats["lag"].dropna()
    if late.empty or lag.empty:
        return "the load generator recorded no timing"
    worst, loop = float(late.quantile(0.99)), float(lag.quantile(0.95))
    if worst <= limit and 0 <= loop <= limit:
        return ""
    told = f"p99 lateness {show_duration(round(worst, 4))}, p95 loop lag {show_duration(round(max(0.0, loop), 4))}"
    return f"{told}, at most {show_duration(limit)}"


def _spared(found: Probe, record: LoadRecord) -> Probe:
    """A server that was spared part of the load has not borne it."""
    dropped = int((record.requests["outcome"] == "dropped").sum())
    if found.state is State.FAIL or dropped <= _SHORTFALL * max(1, record.planned):
        return found
    why = f"{dropped} of {record.planned} requests were never sent: raise max-in-flight"
    return dataclasses.replace(found, state=State.UNKNOWN, late=why)


def tokens_of(folders: Sequence[Path]) -> float | None:
    """Mean answer of the good requests in some probes' records, in tokens; None when there is none."""
    counted = [0.0, 0.0]
    for folder in folders:
        requests = parse_lines(_text(folder / LINES))[0].requests
        good = requests[requests["outcome"] == "ok"]
        counted = [counted[0] + float(good["tokens"].sum()), counted[1] + len(good)]
    return counted[0] / counted[1] if counted[1] else None
