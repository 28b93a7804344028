"""What the page of a game day shows at one moment, as plain data; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from holdfast.load.live import lamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.halting import Burn
    from holdfast.model.scenario import Scenario
    from holdfast.run import Glimpse

Color = Literal["green", "red", "grey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody wrote down: `t` in seconds of the run."""

    t: float
    by: str
    text: str


def plan_of(scenario: Scenario) -> dict[str, Any]:
    """What does not change: title, crew, phases with what they break."""
    return {
        "title": scenario.title,
        "name": scenario.name,
        "length": scenario.length,
        "crew": dict(scenario.crew),
        "phases": [
            {
                "name": one.name,
                "start": one.start,
                "end": one.end,
                "breaks": scenario.experiments[one.chaos].title if one.chaos else "",
            }
            for one in scenario.phases
        ],
    }


def moment(
    seen: Glimpse | None, notes: Sequence[Note], alerts: Sequence[str], *, halting: bool, over: str
) -> dict[str, Any]:
    """What changes; without a glimpse nothing is known yet, and nothing is green."""
    told = {"notes": [_note(one) for one in notes], "alerts": list(alerts), "halting": halting, "over": over}
    if seen is None:
        return {**told, "known": False}
    pulse = seen.pulse
    light = lamp(pulse, seen.t, seen.limit)
    return {
        **told,
        "known": True,
        "t": round(seen.t, 1),
        "phase": seen.phase,
        "left": round(seen.total_left, 1),
        "broken": list(seen.broken),
        "slos": [_slo(one) for one in seen.burns],
        "load": {"color": light.color, "why": light.why},
        "offered": round(pulse.offered_rate, 1),
        "good": pulse.good,
        "bad": pulse.bad,
        "errors": dict(pulse.errors),
        "ttft": pulse.ttft,
        "ttfts": list(pulse.ttfts),
    }


def _slo(burn: Burn) -> Mapping[str, Any]:
    color: Color = "grey" if burn.rate is None else "red" if burn.reached else "green"
    return {"name": burn.slo, "color": color, "burn": burn.rate, "limit": burn.limit, "ended": burn.ended}


def _note(note: Note) -> Mapping[str, Any]:
    return {"t": round(note.t, 1), "by": note.by, "text": note.text}
