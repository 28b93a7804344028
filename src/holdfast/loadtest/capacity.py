"""A capacity study: searches against a running platform or any address, kept in a run folder, whole or half-way."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from holdfast.capacity.search import Ask, Plan, ended, step
from holdfast.chaos import ledger
from holdfast.chaos.guard import watch_of
from holdfast.chaos.strike import FaultStuckError, Striker
from holdfast.errors import InfrastructureError, TargetError, UsageError
from holdfast.loadtest.asked import profile_file
from holdfast.loadtest.capacity_probe import Rig, probe, tokens_of
from holdfast.project import load_slos
from holdfast.report.capacity import answer_dict, probe_dict
from holdfast.spec.profile import read_profile
from holdfast.spec.source import did_you_mean
from holdfast.store.folder import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from holdfast.capacity.answer import Answer
    from holdfast.capacity.probe import Probe
    from holdfast.chaos.ledger import Ledger
    from holdfast.clock import Clock
    from holdfast.model.load import LoadProfile
    from holdfast.model.platform import Driver, Identity
    from holdfast.model.slo import Slo

SCHEMA: Final = "holdfast/capacity/v1"
PROBES: Final = "probes.ndjson"
ANSWER: Final = "answer.json"
ROLE: Final = "engine"
_REST: Final = 2.0
"""Seconds of quiet after the last answer of a probe, so that the next does not begin on its heels."""
_READY: Final = 60.0
_POLL: Final = 0.2
_FAULT: Final = "kill"
"""What the ledger calls an engine that was taken away: whoever mends that, mends this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What was found with all replicas, and with some fewer of them; `tokens` is the mean answer in tokens."""

    folder: Path
    answer: Answer
    replicas: int | None = None
    without: Answer | None = None
    missing: int = 0
    tokens: float | None = None


def profile_of(root: Path, name: str) -> LoadProfile:
    """The profile in loadtests/NAME.conf, which must be one whose rate can be chosen.

    Raises SpecError for what is wrong in it, UsageError when there is none, or it has no steady rate.
    """
    file, text = profile_file(root, name)
    profile = read_profile(text, file)
    hint = "name a profile with arrivals = poisson (or constant) and a flat rate"
    if profile.arrivals in {"trace", "closed"}:
        raise UsageError(f"profile {profile.name} has arrivals = {profile.arrivals}: its rate is not ours", hint=hint)
    if profile.shape != "flat":
        raise UsageError(f"profile {profile.name} has a rate that changes: shape = {profile.shape}", hint=hint)
    return profile


def slos_of(root: Path, names: Sequence[str]) -> tuple[Slo, ...]:
    """The SLOs of these names; without names, all of the service `gateway` that clients can witness.

    Raises SpecError for what is wrong in slos/, UsageError for a name that is not there or that no client can witness.
    """
    known = load_slos(root)
    witnessed = {name: slo for name, slo in known.items() if slo.sli is not None}
    if not names:
        chosen = tuple(slo for slo in witnessed.values() if slo.service == "gateway")
        if not chosen:
            raise UsageError("no SLO of the gateway is witnessed by clients", hint="name SLOs with --slo")
        return chosen
    for name in names:
        if name not in known:
            raise UsageError(f"no SLO named {name!r} in slos/", hint=did_you_mean(name, set(witnessed)))
        if name not in witnessed:
            raise UsageError(f"clients cannot witness SLO {name!r}", hint="label it sli: availability, ttft or e2e")
        if not 0 < witnessed[name].budget < 1:
            raise UsageError(f"SLO {name!r} has no budget between 0 % and 100 %")
    return tuple(witnessed[name] for name in dict.fromkeys(names))


def new_folder(runs: Path, profile: str, clock: Clock) -> Path:
    """Make an empty folder for a study. Raises InfrastructureError when the disk refuses."""
    stamp = datetime.fromtimestamp(clock.wall(), UTC).strftime("%Y%m%d-%H%M%S")
    folder = runs / f"capacity-{stamp}-{profile}-{secrets.token_hex(2)}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InfrastructureError(f"no folder could be made: {error}", hint="is the disk full?") from error
    return folder


def study(
    rig: Rig,
    plan: Plan,
    folder: Path,
    *,
    driver: Driver | None,
    missing: int = 0,
    halt: Callable[[Identity], None] | None = None,
    heard: Callable[[Probe], None] = lambda _: None,
) -> Study:
    """Search with everything ready; then, with `missing` engines stopped by `halt`, once more, and restore them.

    Every probe is written down before the next begins. Raises InfrastructureError when something is not ready or the
    record cannot be kept, FaultStuckError when a stopped engine could not be seen ready again.
    """
    try:
        _manifest(rig, plan, folder, driver)
        answer = _search(rig, plan, folder / "all", driver, heard=heard)
        fewer = None
        if missing and driver is not None and halt is not None and not rig.stop.signal:
            lower, into = _no_higher(plan, answer), folder / f"without-{missing}"
            with _fewer(rig, driver, missing, halt, folder.name):
                fewer = _search(rig, lower, into, driver, heard=heard, missing=missing)
        return Study(
            folder=folder,
            answer=answer,
            replicas=len(driver.replicas(ROLE)) if driver else None,
            without=fewer,
            missing=missing,
            tokens=tokens_of(sorted((folder / "all").glob("probe-*"))),
        )
    except OSError as error:
        raise InfrastructureError(f"the study could not be recorded: {error}", hint="is the disk full?") from error


def _no_higher(plan: Plan, whole: Answer) -> Plan:
    """Fewer engines bear no more than all of them did."""
    failed = whole.refuted or plan.high
    return replace(plan, high=min(plan.high, failed)) if failed > plan.low else plan


def _search(
    rig: Rig, plan: Plan, folder: Path, driver: Driver | None, *, heard: Callable[[Probe], None], missing: int = 0
) -> Answer:
    """One search, whose answer is kept as `answer.json` in its folder, also when a probe could not be made."""
    folder.mkdir()
    probes: list[Probe] = []
    began = rig.clock.monotonic()
    known = step(plan, probes, 0.0)
    try:
        while isinstance(known, Ask):
            found = _probed(rig, known, len(probes) + 1, folder, driver, missing=missing)
            if found is None:
                known = ended(plan, probes, f"stopped by {rig.stop.signal}")
                break
            probes.append(found)
            _append(folder / PROBES, probe_dict(found))
            heard(found)
            rig.clock.sleep(_REST)
            known = step(plan, probes, rig.clock.monotonic() - began)
    except InfrastructureError as error:
        write_json(folder / ANSWER, answer_dict(ended(plan, probes, str(error))))
        raise
    write_json(folder / ANSWER, answer_dict(known))
    return known


def _probed(rig: Rig, ask: Ask, number: int, folder: Path, driver: Driver | None, *, missing: int) -> Probe | None:
    """One probe of a platform that is ready; None when somebody said stop: half of one is kept and does not count."""
    if rig.stop.signal:
        return None
    _all_ready(rig, driver, missing)
    found = probe(rig, ask, number=number, folder=folder / f"probe-{number:02d}")
    return None if _stopped(rig) else found


def _stopped(rig: Rig) -> bool:
    return rig.stop.signal is not None


def _append(path: Path, told: dict[str, Any]) -> None:
    line = json.dumps(told, allow_nan=False).encode() + b"\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.write(handle, line) != len(line):
            raise OSError(28, "No space left on device", str(path))
        os.fsync(handle)
    finally:
        os.close(handle)


def _manifest(rig: Rig, plan: Plan, folder: Path, driver: Driver | None) -> None:
    about = dict(driver.describe()) if driver else {}
    told = {
        "schema": SCHEMA,
        "profile": rig.profile.name,
        "seed": rig.seed,
        "slos": {slo.id: {"objective": slo.objective, "bound": slo.bound, "sli": slo.sli} for slo in rig.slos},
        "plan": {name: getattr(plan, name) for name in plan.__dataclass_fields__},
        "host": rig.host,
        "began": rig.clock.wall(),
        "platform": about,
    }
    write_json(folder / "manifest.json", told)


def _all_ready(rig: Rig, driver: Driver | None, missing: int) -> None:
    """Wait until every replica of every role is ready, but for the engines that are to be missing."""
    if driver is None:
        return
    deadline = rig.clock.monotonic() + _READY
    while True:
        down = [one.identity for role in driver.roles() for one in driver.replicas(role) if not one.ready]
        if len(down) <= missing and all(one.role == ROLE for one in down):
            return
        if rig.clock.monotonic() >= deadline or rig.stop.signal:
            names = ", ".join(one.name for one in down)
            raise InfrastructureError(f"not ready within {_READY:g} s: {names}", hint="holdfast status")
        rig.clock.sleep(_POLL)


@contextmanager
def _fewer(rig: Rig, driver: Driver, count: int, halt: Callable[[Identity], None], run: str) -> Iterator[None]:
    """Stop engines, written down before it happens; afterwards start them again and see them ready."""
    ready = [one.identity for one in driver.replicas(ROLE) if one.ready]
    if not 1 <= count < len(ready):
        raise TargetError(f"{count} of {len(ready)} ready engines cannot be stopped", hint="one must be left")
    book = ledger.of(driver, rig.clock)
    striker = Striker(driver=driver, ledger=book, clock=rig.clock, run=run, seed=rig.seed)
    guard = watch_of(driver, book, run)
    try:
        guard.begin()
        for target in ready[-count:]:
            name = secrets.token_hex(6)
            book.write(id=name, run=run, fault=_FAULT, step="asked", target=target)
            halt(target)
            book.write(id=name, run=run, fault=_FAULT, step="applied", target=target)
            if driver.alive(target):
                raise InfrastructureError(f"{target.name} was to be stopped and still runs")
            book.write(id=name, run=run, fault=_FAULT, step="observed", target=target)
        yield
    finally:
        try:
            _restored(striker, book, run)
        finally:
            guard.end()


def _restored(striker: Striker, book: Ledger, run: str) -> None:
    """Undo all before saying that one is stuck."""
    stuck: FaultStuckError | None = None
    for entry in book.open_faults(run):
        try:
            striker.restore(entry, _READY)
        except FaultStuckError as error:
            stuck = error
    if stuck:
        raise stuck
