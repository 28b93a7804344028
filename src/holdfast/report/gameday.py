"""A game day afterwards, as Markdown: what was broken, who noticed when, what held, what is to be done. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import State
from holdfast.report.words import clean, summary
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.model.timeline import Event, Timeline
    from holdfast.model.verdict import Report

_PAGE: Final = "page"
_HEARTBEAT: Final = "Watchdog"
_TODO: Final = "todo"
_NEVER: Final = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One fault with the seconds from its strike until each thing happened; None for what never did."""

    fault: str
    target: str
    struck: float
    bit: float | None
    alerted: float | None
    paged: float | None
    gone: float | None
    held: float | None
    """From the strike until somebody began to take it back."""


def broken(timeline: Timeline) -> tuple[Broken, ...]:
    """Every fault that was applied, in the order of time."""
    steps: dict[str, list[Event]] = {}
    for event in timeline.of("fault"):
        steps.setdefault(str(event.data.get("id")), []).append(event)
    found = [_broken(timeline, mine) for mine in steps.values() if any(one.data["step"] == "applied" for one in mine)]
    return tuple(sorted(found, key=lambda one: one.struck))


def _broken(timeline: Timeline, mine: Sequence[Event]) -> Broken:
    first = {str(event.data["step"]): event.t for event in reversed(mine)}
    struck = first["applied"]
    ends = [first[step] for step in ("lapsed", "undone") if step in first]
    firing = [one for one in timeline.alerts if one.status == "firing" and one.t >= struck and one.name != _HEARTBEAT]

    def after(times: Sequence[float]) -> float | None:
        return min(times) - struck if times else None

    return Broken(
        fault=str(mine[0].data["fault"]),
        target=str(mine[0].data["target"]),
        struck=struck,
        bit=after([first["observed"]] if "observed" in first else []),
        alerted=after([one.t for one in firing]),
        paged=after([one.t for one in firing if one.severity == _PAGE]),
        gone=after([first["gone"]] if "gone" in first else []),
        held=after(ends),
    )


def gameday(report: Report, timeline: Timeline) -> str:
    """The whole report; times are seconds from each fault's strike."""
    scenario = timeline.scenario
    lines = [f"# Game day: {clean(scenario.title)}", "", f"**{report.state}**: {summary(report)}", ""]
    lines += [f"- {clean(role)}: {clean(duty)}" for role, duty in scenario.crew.items()]
    lines += ["", *_faults(timeline), "", *_recovery(report), "", *_notes(timeline), "", "## To be done", ""]
    return "\n".join([*lines, *(list(_follow_ups(report, timeline)) or ["Nothing that this run shows."]), ""])


def _faults(timeline: Timeline) -> list[str]:
    found = broken(timeline)
    if not found:
        return ["## What was broken", "", "Nothing."]
    head = ["fault", "struck at", "seen to bite", "first alert", "first page", "taken back", "seen gone"]
    rows = [
        [
            f"{one.fault} of {one.target}",
            f"{one.struck:.1f} s",
            *map(_after, (one.bit, one.alerted, one.paged, one.held, one.gone)),
        ]
        for one in found
    ]
    table = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return ["## What was broken", "", *table]


def _after(seconds: float | None) -> str:
    return _NEVER if seconds is None else f"after {show_duration(round(seconds, 1))}"


def _recovery(report: Report) -> list[str]:
    told = [f"- {one.state}: {clean(one.sentence)}" for one in report.verdicts]
    return ["## What held", "", *(told or ["Nothing was asked."])]


def _notes(timeline: Timeline) -> list[str]:
    told = [f"- {one.t:.0f} s, {_said(one)}" for one in timeline.of("note")]
    return ["## What was noted", "", *(told or ["Nothing."])]


def _said(note: Event) -> str:
    return f"{clean(str(note.data.get('by')))}: {clean(str(note.data.get('text')))}"


def _follow_ups(report: Report, timeline: Timeline) -> Iterator[str]:
    for note in timeline.of("note"):
        if str(note.data.get("text", "")).casefold().startswith(_TODO):
            yield f"- [ ] {_said(note)}"
    for check in report.checks:
        if check.state is not State.PASS:
            yield f"- [ ] {check.name}: {clean(check.seen)}"
    for verdict in report.verdicts:
        if verdict.state is State.FAIL:
            yield f"- [ ] {clean(verdict.sentence)}"
    for one in broken(timeline):
        if one.alerted is None:
            yield f"- [ ] no alert told of {one.fault} of {one.target}: is one missing, or was there no need?"
        elif one.paged is None:
            yield f"- [ ] {one.fault} of {one.target} paged nobody: was there no need?"
