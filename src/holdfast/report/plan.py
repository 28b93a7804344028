"""A plan in words: what will happen when, what it needs, what each expectation costs and how likely it is proved."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Final

from holdfast.plan import TIMES
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.model.scenario import Forecast
    from holdfast.plan import Needs, Plan, PlannedPhase, Strike

_CELL: Final = 6
"""Columns of one chance."""


def plan_text(plan: Plan, width: int = 80) -> str:
    """Some lines of plain text; those that may be broken fit `width` columns (from 60 up)."""
    most, each = "at most " if plan.may_end_early else "", f"{plan.trials} trials, " if plan.trials > 1 else ""
    took = f"{each}takes {most}about {_whole(plan.takes * plan.trials)} with lead and settling"
    head = f"{plan.title} ({plan.scenario}): {show_duration(plan.seconds)}, {plan.requests} requests"
    sections = (
        [head, *_wrapped(took, "", width)],
        ["phases", *(line for one in plan.phases for line in _phase(one, plan, width))],
        ["needs", *_needs(plan.needs, width)],
        ["expectations", *(line for one in plan.forecasts for line in _forecast(one, width))],
        list(_chances(plan, width)),
        list(_problems(plan)),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def plans_text(plans: Sequence[Plan], width: int = 80) -> str:
    """Several plans, one after another, and what they cost together."""
    texts = [plan_text(one, width) for one in plans]
    if len(plans) > 1:
        takes, requests = total(plans)
        texts.append(f"all {len(plans)} scenarios: about {_whole(takes)}, {requests} requests")
    return "\n\n\n".join(texts)


def total(plans: Sequence[Plan]) -> tuple[float, int]:
    """Seconds and requests of all trials of several scenarios."""
    return sum(one.takes * one.trials for one in plans), sum(one.requests * one.trials for one in plans)


def _phase(one: PlannedPhase, plan: Plan, width: int) -> list[str]:
    phase = one.phase
    names = max(len(each.phase.name) for each in plan.phases)
    requests = max(len(str(each.requests)) for each in plan.phases)
    digits = len(f"{plan.seconds:g}")
    span = f"{phase.start:>{digits}g}s to {phase.end:>{digits}g}s"
    line = f"  {phase.name:<{names}}  {span}  {one.requests:>{requests}} requests"
    line += "" if phase.judged else "  not judged"
    if not one.experiment:
        return [line]
    faults = [*map(_strike, one.strikes), *(f"also {name}, which is no fault known here" for name in one.others)]
    held = f", held for {show_duration(one.held)}" if one.held else ""
    told = f"{one.experiment}: {'; '.join(faults) or 'strikes nothing'}{held}"
    whole = f"{line}  {told}"
    return [whole] if len(whole) <= width else [line, *_wrapped(told, " " * 6, width)]


def _strike(one: Strike) -> str:
    unknown = " (no such fault)" if one.needs is None else ""
    options = ", ".join(f"{name}: {value}" for name, value in one.options.items())
    how_many = ", ".join(one.names) or (f"{one.percent:g}%" if one.percent is not None else f"{one.count}")
    return f"{one.fault} {how_many} of role {one.role}" + (f" ({options})" if options else "") + unknown


def _needs(needs: Needs, width: int) -> list[str]:
    roles = f"role {', '.join(needs.roles)} on the platform's allow-list" if needs.roles else "none"
    root = f"root for {', '.join(needs.root)}" if needs.root else "no root"
    programs = f"; {', '.join(needs.programs)}" if needs.programs else ""
    rows = {
        "faults": f"{roles}; {root}{programs}" if needs.roles else roles,
        "gateway": "reachable" + (", with the platform's API key" if needs.api_key else ""),
        "prometheus": "reachable: the second witness of every count",
        "alerts": "Alertmanager and its receiver reachable, and their watchdog heard",
    }
    shown = {name: text for name, text in rows.items() if name == "faults" or name in needs.endpoints}
    return [line for name, text in shown.items() for line in _wrapped(f"{name:<12}{text}", "  ", width, hang=12)]


def _forecast(one: Forecast, width: int) -> list[str]:
    if not one.needs:
        return _wrapped(f"{one.expectation}: {_exact(one)}", "  ", width, hang=4)
    cost = f"{one.expects:g} requests expected, {one.needs} clean ones needed; {_passes(one)}"
    told = (cost, one.note, _time(one))
    return [f"  {one.expectation}:", *(line for text in told for line in _wrapped(text, " " * 6, width))]


def _exact(one: Forecast) -> str:
    return one.note if one.can_pass else "cannot pass without a request"


def _passes(one: Forecast) -> str:
    """How many bad ones it can bear where requests keep company as usual; they may do so less than that."""
    if not one.can_pass:
        return "cannot pass"
    return f"passes with at most {one.most_bad} bad" if one.most_bad >= 0 else "hardly enough to pass"


def _time(one: Forecast) -> str:
    limit = f"limit {show_ratio(one.limit)} bad; " if one.limit is not None and not one.note else ""
    last = f"{limit}its phases last {show_duration(one.seconds)}"
    if one.needs_seconds is None:
        return f"{last} and offer no request"
    return f"{last}, {_whole(one.needs_seconds)} are needed at {one.expects / one.seconds:.3g}/s"


def _chances(plan: Plan, width: int) -> Iterator[str]:
    if not plan.counted:
        return
    room = max(24, min(max(len(one.expectation) for one in plan.counted), width - 2 - _CELL * len(TIMES)))
    yield "chance of PASS, if the true share of bad requests is so many times the limit"
    yield _row("", [f"{times:g}x" for times in TIMES], room)
    for one in plan.counted:
        yield _row(one.expectation, [chance(one.power[times]) for times in TIMES], room)
    notes = "Requests are taken to go wrong together as they do on the reference platform."
    if len(plan.counted) > 1:
        name = f"all {len(plan.counted)} together, at"
        yield _row(f"{name} least", [f"{math.floor(100 * one.least)}%" for one in plan.joint], room)
        yield _row(f"{name} most", [f"{math.ceil(100 * one.most)}%" for one in plan.joint], room)
        notes += " Both bounds for all hold however these depend on each other."
    yield from _wrapped(notes, "  ", width)


def _row(name: str, cells: Sequence[str], room: int) -> str:
    first = f"  {name}\n  {'':<{room}}" if len(name) > room else f"  {name:<{room}}"
    return first + "".join(f"{cell:>{_CELL}}" for cell in cells)


def chance(value: float) -> str:
    """A probability in whole per cent; one that is not quite 0 or 1 does not read as if it were."""
    if 0 < value <= 0.005:  # noqa: PLR2004 - what would be rounded to 0 %
        return "<1%"
    return ">99%" if 0.995 <= value < 1 else f"{value:.0%}"  # noqa: PLR2004


def _problems(plan: Plan) -> Iterator[str]:
    if plan.problems:
        yield "cannot be decided; `holdfast run` and `holdfast gate` refuse it"
        yield from (f"\n{one}" for one in plan.problems)


def _whole(seconds: float) -> str:
    return show_duration(math.ceil(seconds))


def _wrapped(text: str, indent: str, width: int, hang: int = 0) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent + " " * hang, break_on_hyphens=False
    )
