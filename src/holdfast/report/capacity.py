"""A capacity study in words, as a table, as one HTML page that needs nothing else, and for machines."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from holdfast.model.verdict import State
from holdfast.report.capacity_plot import picture
from holdfast.report.page import rendered
from holdfast.report.words import NOTHING, clean
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from holdfast.capacity.answer import Answer, Boundary
    from holdfast.capacity.planning import Cost, Need
    from holdfast.capacity.probe import Judged, Probe

SCHEMA: Final = "holdfast/capacity/v1"
HEAD: Final = ("state", "rate", "for", "requests", "bad", "at most", "p50", "p95", "completed", "")
MEANING: Final[dict[Boundary, str]] = {
    "cliff": "a cliff: 5 % more requests make a bad one twenty times as likely",
    "slope": "a slope: service gets worse little by little",
    "unstable": "saturation: beyond it latency grows without end",
    "non-monotone": "no single boundary: a rate was proved to hold above one that was proved to fail",
    "no pass in range": "even the lowest rate fails",
    "never failed in range": "the highest rate still holds; the boundary lies beyond it",
    "undecided": "the evidence does not decide",
}


def headline(answer: Answer) -> str:
    """The answer in one sentence or two."""
    found = answer.estimate
    if answer.state is State.PASS and found is not None:
        return (
            f"Capacity {show_rate(found.rate)}, between {show_rate(found.low)} and {show_rate(found.high)} "
            f"({answer.confidence:.0%}). {_capital(MEANING[answer.boundary])}."
        )
    told = f"No capacity found: {MEANING[answer.boundary]}."
    if found is not None:
        told += f" It may lie between {show_rate(found.low)} and {show_rate(found.high)}."
    return told


def details(answer: Answer) -> list[tuple[str, str]]:
    """What else there is to say: what it is, and its value in words."""
    said = []
    if answer.proved is not None:
        said.append(("proved to hold", show_rate(answer.proved)))
    if answer.refuted is not None:
        said.append(("seen to fail", show_rate(answer.refuted)))
    if answer.knee is not None:
        said.append(("knee", f"{show_rate(answer.knee)}, where latency is twice that of the lowest rate"))
    return [*said, ("ended", clean(answer.why))]


def lines(answer: Answer) -> list[str]:
    """The details for a terminal."""
    return [f"{name:<17}{value}" for name, value in details(answer)]


def show_rate(rate: float) -> str:
    """Requests per second with three digits: "24.1/s"."""
    return f"{rate:.3g}/s" if rate < 1000 else f"{rate:.0f}/s"  # noqa: PLR2004 - three digits would round it


def rows(answer: Answer) -> list[list[str]]:
    """The probes under HEAD, in their order."""
    return [_row(one) for one in answer.probes]


def _row(probe: Probe) -> list[str]:
    worst = _worst(probe)
    return [
        probe.state.value,
        show_rate(probe.rate),
        f"{probe.seconds:.0f}s",
        str(worst.n) if worst else NOTHING,
        show_ratio(worst.share, 3) if worst and worst.n else NOTHING,
        show_ratio(worst.high, 3) if worst else NOTHING,
        _latency(probe.p50),
        _latency(probe.p95),
        show_rate(probe.achieved),
        _remark(probe, worst),
    ]


def _worst(probe: Probe) -> Judged | None:
    """The objective that is nearest to being broken."""
    known = [one for one in probe.judged if one.n]
    return max(known, key=lambda one: one.share / one.objective.limit, default=None)


def _remark(probe: Probe, worst: Judged | None) -> str:
    said = [clean(probe.late)] if probe.late else []
    said += ["nothing answered"] if probe.silent else []
    said += ["latency grows"] if probe.growing else []
    said += [f"first {probe.cut:.0f}s left out"] if probe.cut >= 1 else []
    if worst and probe.state is not State.PASS:
        said.insert(0, clean(worst.objective.name))
    return ", ".join(said)


def _latency(seconds: float) -> str:
    return show_duration(float(f"{seconds:.3g}")) if math.isfinite(seconds) else NOTHING


def plan_lines(need: Need, cost: Cost | None) -> list[str]:
    """What a wanted rate takes."""
    between = f"{need.least} to {need.most}" if need.least != need.most else f"{need.usual}"
    wanted = f"For {show_rate(need.wanted)} with {need.spare} to spare: {need.usual} replicas"
    said = [f"{wanted} ({between} by the interval), each bears {show_rate(need.each.rate)}"]
    if cost is not None:
        per = f", {cost.per_million:.2f} {clean(cost.currency)} per million answer tokens" if cost.per_million else ""
        said.append(f"That is {cost.gpus:g} GPUs, {cost.per_hour:.2f} {clean(cost.currency)} an hour{per}")
    return said


def unplanned(wanted: float | None) -> list[str]:
    """What is said of a wanted rate where there is no capacity to plan with."""
    return [f"For {show_rate(wanted)}: unknown how many replicas, for no capacity was found"] if wanted else []


def answer_dict(answer: Answer) -> dict[str, Any]:
    """The answer for machines; a number that is not finite is null."""
    return {
        "schema": SCHEMA,
        "state": answer.state.value,
        "boundary": answer.boundary,
        "rate": answer.estimate.rate if answer.estimate else None,
        "low": answer.estimate.low if answer.estimate else None,
        "high": answer.estimate.high if answer.estimate else None,
        "confidence": answer.confidence,
        "proved": answer.proved,
        "refuted": answer.refuted,
        "knee": answer.knee,
        "why": answer.why,
        "probes": [probe_dict(one) for one in answer.probes],
    }


def probe_dict(probe: Probe) -> dict[str, Any]:
    """One probe for machines."""
    told: dict[str, Any] = _finite(asdict(probe))
    return told


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, State) else value


def page(title: str, parts: list[tuple[str, Answer]], planned: list[str]) -> str:
    """The study as HTML: each search with its picture and its probes, then the plan."""
    cards = [
        {
            "id": f"search-{index}",
            "name": name,
            "state": answer.state.value,
            "headline": headline(answer),
            "details": details(answer),
            "picture": picture(answer, f"c{index}"),
            "rows": rows(answer),
        }
        for index, (name, answer) in enumerate(parts)
    ]
    return rendered("capacity.html.j2", title=title, cards=cards, head=HEAD, lines=planned)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
