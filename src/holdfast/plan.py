"""What a run will cost and what it can prove, said before it starts; nothing is touched."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from holdfast.spec.experiment import EMBEDDED, calls
from holdfast.undecidable import hopeless, idle, phases_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from holdfast.errors import Problem
    from holdfast.model.scenario import Expectation, Forecast, Phase, Scenario
    from holdfast.undecidable import Offered

    NeedsOf = Callable[[str], tuple[str, ...] | None]
    """Name of a fault -> what it needs ("root", programs); None when no such fault is known."""

TIMES: Final = (0.0, 0.1, 0.5, 1.0, 2.0)
"""How bad a service may truly be, as multiples of what is allowed."""
LEAD: Final = 3.0
"""Seconds a run takes before its second 0, to start the load generator."""
SETTLE: Final = 2.5
"""Seconds a run takes after its end, for the last scrape and alert; answers in flight and open faults come on top."""
ENDPOINTS: Final = ("gateway", "prometheus", "alerts")
"""What every run must reach: whom it loads, who counts a second time, and the watchdog of the alert path."""

_ROOT: Final = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault of an experiment's method; `needs` is None for a fault that nobody knows.

    One of `count`, `percent` and `names` bounds it, the others are None or empty.
    """

    fault: str
    role: str
    count: int | str | None = 1
    percent: float | None = None
    names: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPhase:
    """A phase with the requests due in it, the faults of its experiment, and the actions there that are no fault.

    `held` is for how many seconds its faults are left as they are.
    """

    phase: Phase
    requests: int
    experiment: str = ""
    strikes: tuple[Strike, ...] = ()
    held: float = 0.0
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What must be allowed and reachable: roles that faults may touch, faults that need root, programs, places."""

    roles: tuple[str, ...]
    root: tuple[str, ...]
    programs: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ENDPOINTS
    api_key: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Bounds for the chance that all counted expectations pass when each is truly at `times` its limit.

    They hold however the expectations depend on each other, and no narrower ones do: 1 - sum(1 - p) from below, the
    smallest p from above (Frechet, "Generalisations du theoreme des probabilites totales", Fundamenta Mathematicae
    25, 1935; from below also Bonferroni, 1936). Expectations over the same requests do depend on each other, so the
    product of their chances would claim too much.
    """

    times: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole of it; `forecasts` in the order of the expectations, `takes` are `seconds` with lead and settling.

    Both are the most it takes where it may end early. A scenario of several `trials` costs that much for each. `joint`
    speaks of the `counted` expectations. `problems` are what makes the scenario one that is not run: what cannot pass,
    and judged phases that decide nothing.
    """

    scenario: str
    title: str
    seconds: float
    takes: float
    may_end_early: bool
    trials: int
    requests: int
    phases: tuple[PlannedPhase, ...]
    needs: Needs
    forecasts: tuple[Forecast, ...]
    joint: tuple[Joint, ...]
    problems: tuple[Problem, ...]

    @property
    def counted(self) -> tuple[Forecast, ...]:
        """Expectations that are proved by counting requests."""
        return _counted(self.forecasts)

    @property
    def hopeless(self) -> tuple[Forecast, ...]:
        """Expectations that could not pass even if nothing at all went wrong."""
        return tuple(one for one in self.forecasts if not one.can_pass)


def make_plan(scenario: Scenario, offered: Offered, needs_of: NeedsOf = lambda _: None) -> Plan:
    """The plan for the requests that are offered."""
    arrivals = offered(scenario.length)
    phases = tuple(_planned(phase, scenario, arrivals, needs_of) for phase in scenario.phases)
    forecasts = tuple(_forecast(one, scenario, arrivals) for one in scenario.expect)
    return Plan(
        scenario=scenario.name,
        title=scenario.title,
        seconds=scenario.length,
        takes=LEAD + scenario.length + SETTLE,
        may_end_early=scenario.stop == "early",
        trials=scenario.repeat.times,
        requests=len(arrivals),
        phases=phases,
        needs=_needs((strike for phase in phases for strike in phase.strikes), scenario.drivers),
        forecasts=forecasts,
        joint=tuple(_joint(_counted(forecasts))),
        problems=(*hopeless(scenario, forecasts, offered), *idle(scenario)),
    )


def _planned(phase: Phase, scenario: Scenario, arrivals: Sequence[float], needs_of: NeedsOf) -> PlannedPhase:
    experiment = scenario.experiments[phase.chaos] if phase.chaos else None
    actions = calls(experiment.document, "method") if experiment else ()
    return PlannedPhase(
        phase=phase,
        requests=sum(1 for due in arrivals if phase.start <= due < phase.end),
        experiment=experiment.title if experiment else "",
        strikes=tuple(_strike(one.arguments, needs_of) for one in actions if one.func == "strike"),
        held=sum(_seconds(one.arguments) for one in actions if one.func == "hold"),
        others=tuple(one.name for one in actions if one.func not in {"strike", "hold"}),
    )


def _strike(given: Mapping[str, Any], needs_of: NeedsOf) -> Strike:
    fault, names, options = str(given.get("fault", "")), given.get("names"), given.get("options")
    percent, count = given.get("percent"), given.get("count")
    return Strike(
        fault=fault,
        role=str(given.get("role", "")),
        count=1 if not names and percent is None and count is None else count,
        percent=percent,
        names=tuple(map(str, names)) if isinstance(names, list) else (),
        options=dict(options) if isinstance(options, dict) else {},
        needs=needs_of(fault),
    )


def _seconds(given: Mapping[str, Any]) -> float:
    found = given.get("seconds")
    return float(found) if isinstance(found, int | float) else 0.0


def _needs(strikes: Iterable[Strike], drivers: Iterable[str]) -> Needs:
    known = tuple(strikes)
    programs = [need for one in known for need in one.needs or () if need != _ROOT]
    programs += [f"driver {name}" for name in drivers if name != EMBEDDED]
    return Needs(
        roles=tuple(dict.fromkeys(one.role for one in known)),
        root=tuple(dict.fromkeys(one.fault for one in known if _ROOT in (one.needs or ()))),
        programs=tuple(dict.fromkeys(programs)),
    )


def _forecast(one: Expectation, scenario: Scenario, arrivals: Sequence[float]) -> Forecast:
    """The expectation's own forecast, and what its numbers mean in seconds and in multiples of its limit."""
    told, limit = one.forecast(scenario, arrivals), getattr(one, "limit", None)
    if not told.needs or limit is None:
        return told
    seconds = sum(scenario.phase(name).length for name in set(phases_of(one)))
    chances = [(truth, chance) for truth, chance in told.chances.items() if math.isfinite(truth)]
    near = {times: [chance for truth, chance in chances if math.isclose(truth, times * limit)] for times in TIMES}
    return replace(
        told,
        limit=limit,
        during=phases_of(one),
        seconds=seconds,
        needs_seconds=told.needs * seconds / told.expects if told.expects else None,
        power={times: found[0] if found else 0.0 for times, found in near.items()},
    )


def _counted(forecasts: Iterable[Forecast]) -> tuple[Forecast, ...]:
    return tuple(one for one in forecasts if one.power)


def _joint(counted: Sequence[Forecast]) -> Iterator[Joint]:
    for times in TIMES if counted else ():
        chances = [one.power[times] for one in counted]
        yield Joint(times=times, least=max(0.0, 1 - math.fsum(1 - one for one in chances)), most=min(chances))
