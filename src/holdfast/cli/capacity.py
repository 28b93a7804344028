"""`holdfast capacity`: the highest rate at which a platform keeps its SLOs, and what a wanted rate takes."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.options import JSON, RUNS, STATE, say, table, workplace
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.app import Workplace
    from holdfast.capacity.planning import Cost, Need, Prices
    from holdfast.capacity.probe import Probe
    from holdfast.capacity.search import Plan
    from holdfast.loadtest.capacity import Study
    from holdfast.loadtest.capacity_probe import Glance, Rig
    from holdfast.model.load import LoadProfile
    from holdfast.model.platform import Driver, Identity
    from holdfast.run import Stop

_EVERY = 5.0
"""Seconds between two lines about the same probe."""


@click.command()
@click.argument("profile")
@click.option("--host", metavar="URL", help="What to load; the gateway of the embedded platform by default.")
@click.option("--slo", "slos", multiple=True, metavar="SERVICE/NAME", help="What must hold; all of the gateway's.")
@click.option("--from", "low", metavar="RATE", help="The lowest rate, as 5/s; a quarter of the profile's by default.")
@click.option("--to", "high", metavar="RATE", help="The highest rate; ten times the profile's by default.")
@click.option("--probe", "length", default="30s", show_default=True, help="The shortest probe; others last longer.")
@click.option("--within", default="15m", show_default=True, help="Time for one whole search.")
@click.option("--probes", default=8, show_default=True, type=click.IntRange(2, 50), help="At most so many.")
@click.option("--without", "missing", default=0, metavar="N", help="Search again with N engines stopped.")
@click.option("--want", metavar="RATE", help="Say how many replicas this rate takes.")
@click.option("--prices", type=click.Path(path_type=Path), help="YAML with gpu-hour, to say what that costs.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same schedules and prompts.")
@STATE
@RUNS
@JSON
def capacity(
    profile: str,
    host: str | None,
    slos: tuple[str, ...],
    low: str | None,
    high: str | None,
    length: str,
    within: str,
    probes: int,
    missing: int,
    want: str | None,
    prices: Path | None,
    seed: int,
    state: Path | None,
    runs: Path | None,
    *,
    as_json: bool,
) -> int:
    """The highest rate that keeps the SLOs.  Example: holdfast capacity chat-peak --from 3/s --to 120/s --without 1

    Exit code 0: found, with an interval; 10: not found, and why.
    """
    from holdfast.loadtest import capacity as use
    from holdfast.loadtest.asked import check_address
    from holdfast.signals import exit_code, stoppable

    place = workplace(state, runs)
    chosen = use.profile_of(place.root, profile)
    if host:
        check_address(host)
    plan = _plan(chosen, low, high, length, within, probes)
    cost_of = _prices(prices)
    wanted = _rate("--want", want) if want else None
    if cost_of and wanted is None:
        raise UsageError("--prices says what a wanted rate costs, and none is wanted", hint="--want 95/s")
    if missing < 0 or (missing and host):
        raise UsageError("engines can only be stopped on the embedded platform", hint="leave --host or --without away")
    driver = None if host else _driver(place)
    with stoppable() as stop, _alone(place, driver, stop):
        rig = _rig(place, chosen, plan, driver, host, slos, seed, stop)
        folder = use.new_folder(place.runs, chosen.name, place.clock)
        _announce(rig, plan, folder)
        study = use.study(
            rig, plan, folder, driver=driver, missing=missing, halt=_halt(driver), heard=_heard(as_json=as_json)
        )
    _tell(study, chosen, wanted, cost_of, as_json=as_json)
    answers = [study.answer, *([study.without] if study.without else [])]
    code = max((one.state for one in answers), key=lambda one: one.severity).exit_code
    return exit_code(stop.signal) if stop.signal else code


def _plan(profile: LoadProfile, low: str | None, high: str | None, length: str, within: str, probes: int) -> Plan:
    from holdfast.capacity.search import Plan

    shortest, seconds = _duration("--probe", length), _duration("--within", within)
    try:
        return Plan(
            low=_rate("--from", low) if low else profile.rate / 4,
            high=_rate("--to", high) if high else profile.rate * 10,
            probes=probes,
            shortest=shortest,
            longest=max(shortest, seconds / 2),
            seconds=seconds,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _rate(option: str, text: str) -> float:
    from holdfast import units

    return _read(option, text, units.rate)


def _duration(option: str, text: str) -> float:
    from holdfast import units

    return _read(option, text, units.duration)


def _read(option: str, text: str, reader: Callable[[str], float]) -> float:
    try:
        return reader(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def _prices(path: Path | None) -> Prices | None:
    from holdfast.capacity.planning import read_prices

    if path is None:
        return None
    if not path.is_file():
        raise UsageError(f"no such file: {path}")
    return read_prices(path.read_text(encoding="utf-8", errors="replace"), str(path))


def _driver(place: Workplace) -> Driver:
    from holdfast.platforms.connect import connect

    return connect(place.state)


def _alone(place: Workplace, driver: Driver | None, stop: Stop) -> Any:
    from holdfast.experiments.alone import alone

    return alone(place.state, stop=stop) if driver else nullcontext()


def _rig(
    place: Workplace,
    profile: LoadProfile,
    plan: Plan,
    driver: Driver | None,
    host: str | None,
    slos: tuple[str, ...],
    seed: int,
    stop: Stop,
) -> Rig:
    from holdfast.loadtest.capacity import slos_of
    from holdfast.loadtest.capacity_probe import Rig

    endpoints = driver.endpoints() if driver else None
    key = {"HOLDFAST_API_KEY": endpoints.api_key} if endpoints else {}
    return Rig(
        root=place.root,
        host=(host or (endpoints.gateway if endpoints else "")).rstrip("/"),
        profile=profile,
        slos=slos_of(place.root, slos),
        seed=seed,
        alpha=plan.alpha_each,
        clock=place.clock,
        stop=stop,
        watch=_watcher(),
        environment={**os.environ, **key},
    )


def _halt(driver: Driver | None) -> Callable[[Identity], None] | None:
    """How an engine is stopped so that nobody starts it again: through the platform's own supervisor."""
    from holdfast.platforms.embedded import EmbeddedPlatform
    from holdfast.platforms.supervisor import Supervisor

    if not isinstance(driver, EmbeddedPlatform):
        return None
    supervisor = Supervisor(driver.record.supervisor.socket)
    return lambda identity: supervisor.stop(identity.name)


def _watcher() -> Callable[[Glance], None]:
    last = [0, 0.0]

    def watch(seen: Glance) -> None:
        if seen.t < 0 or (seen.number == last[0] and seen.t < last[1]):
            return
        last[:] = [seen.number, seen.t + _EVERY]
        pulse = seen.pulse
        ttft = f"{pulse.ttft * 1000:.0f} ms" if pulse.ttft is not None else "-"
        say(
            f"  probe {seen.number}  {seen.t:5.0f}s of at most {seen.ask.seconds:.0f}s  {seen.ask.rate:.3g}/s  "
            f"good {pulse.good} bad {pulse.bad} in flight {pulse.in_flight}  ttft p50 {ttft}"
        )

    return watch


def _announce(rig: Rig, plan: Plan, folder: Path) -> None:
    from holdfast.capacity.search import clean_requests
    from holdfast.loadtest.capacity_probe import objective_of

    least = clean_requests(map(objective_of, rig.slos), plan.alpha_each)
    say(f"{', '.join(slo.id for slo in rig.slos)} between {plan.low:g}/s and {plan.high:g}/s; {folder}")
    say(f"a rate is proved by {least} good requests at the least, more where they fail together")


def _heard(*, as_json: bool) -> Callable[[Probe], None]:
    from holdfast.report.capacity import show_rate

    def heard(probe: Probe) -> None:
        if not as_json:
            bad = max((one.share for one in probe.judged), default=0.0)
            told = f"{bad:.2%} bad, p95 {probe.p95 * 1000:.0f} ms  ({probe.why})"
            say(f"{probe.state:<8} {show_rate(probe.rate)} for {probe.seconds:.0f}s: {told}")

    return heard


def _tell(study: Study, profile: LoadProfile, wanted: float | None, prices: Prices | None, *, as_json: bool) -> None:
    from holdfast.report import capacity as told
    from holdfast.report.capacity_plot import drawing
    from holdfast.store.folder import write_whole

    need, cost = _need(study, wanted, prices)
    lines = told.plan_lines(need, cost) if need else told.unplanned(wanted)
    parts = [(f"All {study.replicas} engines" if study.replicas else "The search", study.answer)]
    if study.without:
        parts.append((f"Without {study.missing} of them", study.without))
    page = study.folder / "capacity.html"
    if as_json:
        click.echo(json.dumps(_dict(study, need, cost), indent=2, allow_nan=False))
    for name, answer in () if as_json else parts:
        click.echo(f"\n{name}: {told.headline(answer)}")
        table(list(told.HEAD), told.rows(answer))
        click.echo("\n".join(told.lines(answer)))
    if not as_json:
        click.echo("\n".join([*(["", *lines] if lines else []), f"report           {page}"]))
    for path, (_, answer) in zip(_pictures(study), parts, strict=True):
        write_whole(path, drawing(answer))
    write_whole(page, told.page(f"Capacity for {profile.name}", parts, lines))


def _pictures(study: Study) -> list[Path]:
    """Where the picture of each search lies, beside the page."""
    names = ["capacity.svg", *(["capacity-without.svg"] if study.without else [])]
    return [study.folder / name for name in names]


def _need(study: Study, wanted: float | None, prices: Prices | None) -> tuple[Need | None, Cost | None]:
    """The plan for a wanted rate, where there is a capacity to plan with; one replica is what was measured at a URL."""
    from holdfast.capacity import planning
    from holdfast.model.verdict import State

    answer, fewer = study.answer, study.without
    if wanted is None or answer.state is not State.PASS or answer.estimate is None:
        return None, None
    measured = fewer.estimate if fewer and fewer.state is State.PASS else None
    spare = study.missing if measured else 1
    need = planning.need(wanted, answer.estimate, study.replicas or 1, spare=spare, fewer=measured)
    return need, planning.cost(need, prices, study.tokens) if prices else None


def _dict(study: Study, need: Need | None, cost: Cost | None) -> dict[str, Any]:
    from dataclasses import asdict

    from holdfast.report.capacity import answer_dict

    return {
        **answer_dict(study.answer),
        "folder": str(study.folder),
        "replicas": study.replicas,
        "without": {"engines": study.missing, **answer_dict(study.without)} if study.without else None,
        "tokens": study.tokens,
        "need": asdict(need) if need else None,
        "cost": asdict(cost) if cost else None,
    }
