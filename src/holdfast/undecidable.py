"""What no run of a scenario could decide, and the smallest changes that would help; said before anything is touched."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import Problem, SpecError
from holdfast.spec.source import read
from holdfast.stats import first_that
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.model.scenario import Expectation, Forecast, Phase, Scenario
    from holdfast.spec.source import Path

    Offered = Callable[[float], Sequence[float]]
    """Seconds -> the due times of every request before that second of the run."""

_FROM_FAULT: Final = frozenset({"recovery", "alert"})
"""Kinds that measure from the fault to the end of the run."""
_OBJECTIVES: Final = {"slo": ("objective", "objective"), "latency": ("share", "at-least")}
"""Kind -> the field that holds its objective, and its key in YAML."""
_FORESEEN: Final = 100_000
"""Requests beyond the planned ones that are looked for to find how long a phase should be."""


class UndecidableError(SpecError):
    """A scenario could not pass whatever happens, or judges a phase that decides nothing."""

    def __str__(self) -> str:
        """Every problem, and the way around them."""
        return f"{SpecError.__str__(self)}: nothing was touched; `holdfast run --undecided-ok` runs it all the same"


def phases_of(one: Expectation) -> tuple[str, ...]:
    """The phases that an expectation names; none for those that look at the whole run."""
    return tuple(getattr(one, "during", ()))


def hopeless(scenario: Scenario, forecasts: Sequence[Forecast], offered: Offered) -> Iterator[Problem]:
    """Expectations that could not pass even if nothing went wrong, each with the smallest changes that would help."""
    for index, (one, told) in enumerate(zip(scenario.expect, forecasts, strict=True)):
        if told.can_pass:
            continue
        needed = f", {told.needs} clean ones needed" if told.needs else ""
        what = f"{one.id} cannot pass: {told.expects:g} requests expected{needed}"
        ways = (_longer(one, told, scenario, offered), _lower(one, told, scenario, offered(scenario.length)))
        hint = ", or ".join(filter(None, ways)) or "offer more requests: raise the rate"
        yield replace(_problem(scenario, ("expect", index), what, hint), where=one.where)


def idle(scenario: Scenario) -> Iterator[Problem]:
    """Judged phases that no expectation looks at.

    `during` looks at the phases it names; a recovery and an alert look at everything from the first fault on. Budgets
    and invariants count unjudged phases too, so judging one for them alone would decide nothing, unless they are all
    that is asked. An alert that stays silent, by its `during`, looks at the phases named there, or at all of them.
    """
    named = {name for one in scenario.expect for name in phases_of(one)}
    faults = [phase.start for phase in scenario.phases if phase.chaos]
    measured = any(one.kind in _FROM_FAULT and not hasattr(one, "during") for one in scenario.expect)
    everywhere = any(getattr(one, "during", None) == () for one in scenario.expect)
    since = min(faults) if faults and measured else math.inf
    for index, phase in enumerate(scenario.phases):
        looked_at = everywhere or phase.name in named or phase.start >= since or (not named and not measured)
        if phase.judged and not looked_at:
            what = f"phase {phase.name!r} is judged, but no expectation looks at it: it decides nothing"
            hint = f"write judged: false, or name it in a during: [{phase.name}]"
            yield _problem(scenario, ("phases", index, "name"), what, hint)


def _problem(scenario: Scenario, path: Path, what: str, hint: str) -> Problem:
    """A problem at a place of the scenario's file; at the file as a whole when its text was not kept."""
    file = scenario.where.file
    text = scenario.files.get(file)
    if text is None:
        return Problem(where=scenario.where, what=what, hint=hint)
    return read(text, file, []).problem(path, what, hint=hint)


def _longer(one: Expectation, told: Forecast, scenario: Scenario, offered: Offered) -> str:
    """How long the last phase that counts must be, by the arrivals that would come; empty when they do not suffice."""
    last = max((scenario.phase(name) for name in told.during), key=lambda phase: phase.start, default=None)
    missing, planned = told.needs - told.expects, len(offered(scenario.length))
    if last is None or not planned or missing > _FORESEEN:
        return ""
    horizon = last.end + 60 + 2 * missing * scenario.length / planned
    arrivals = offered(horizon)

    def suffices(more: int) -> bool:
        longer = _with_length(scenario, last, math.floor(last.length) + more)
        return one.forecast(longer, arrivals).can_pass

    more = first_that(suffices, 2 * int(horizon))
    if more is None:
        return ""
    found = show_duration(math.floor(last.length) + more)
    return f"for: {found} in phase {last.name} (now {show_duration(last.length)})"


def _with_length(scenario: Scenario, changed: Phase, seconds: float) -> Scenario:
    """The scenario with one phase that lasts so long, and those after it as much later."""
    later = seconds - changed.length
    moved = (
        replace(one, start=one.start + later * (one.start > changed.start), end=one.end + later)
        if one.start >= changed.start
        else one
        for one in scenario.phases
    )
    return replace(scenario, phases=tuple(moved))


def _lower(one: Expectation, told: Forecast, scenario: Scenario, arrivals: Sequence[float]) -> str:
    """The strictest objective, in round numbers, that so many clean requests prove; empty when none is worth it."""
    if one.kind not in _OBJECTIVES or not told.expects:
        return ""
    name, key = _OBJECTIVES[one.kind]
    for limit in _round_limits(1 - scenario.alpha ** (1 / told.expects)):
        changes: dict[str, Any] = {name: round(1 - limit, 12)}
        if replace(one, **changes).forecast(scenario, arrivals).can_pass:
            return f"{key}: {show_ratio(changes[name])}"
    return ""


def _round_limits(least: float) -> Iterator[float]:
    """Shares of two digits from `least` to one half, ascending; beyond that an objective says nothing."""
    limit = least
    while limit <= 0.5:  # noqa: PLR2004
        step = 10.0 ** (math.floor(math.log10(limit)) - 1)
        rounded = math.ceil(round(limit / step, 6)) * step
        if rounded <= 0.5:  # noqa: PLR2004
            yield rounded
        limit = rounded + step
