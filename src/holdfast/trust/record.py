"""Is the record whole, in its order and on one clock, and did its faults strike and go?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from holdfast.model.scenario import SLIP
from holdfast.model.verdict import State
from holdfast.trust.base import check_of
from holdfast.units import show_duration

if TYPE_CHECKING:
    from holdfast.model.scenario import Phase
    from holdfast.model.timeline import Event, Timeline
    from holdfast.model.verdict import Check

_CLOCK_SLIP: Final = 0.5
_BEGUN: Final = ("asked", "refused", "applied")
_OVER: Final = ("gone", "refused")
_SPOILT: Final = ("astray", "lapsed")
"""It hit a bystander too, or somebody else had to take it back before the run did."""


def record_whole(timeline: Timeline) -> Check:
    """The run ended by itself and nothing was changed since."""
    stopped = timeline.first("interrupted")
    crashed = timeline.first("failed")
    trouble = "; ".join(timeline.damaged[:3])
    if max(len(timeline.of("end")), len(timeline.of("load", step="started"))) > 1:
        trouble = trouble or "two runs wrote into this record"
    if timeline.first("end") is None:
        trouble = trouble or "the run has no end"
    if crashed:
        trouble = str(crashed.data.get("detail", "the run failed"))
    if stopped:
        trouble = f"interrupted by {stopped.data.get('signal')} at second {stopped.t:.1f}"
    return check_of(
        "record whole",
        trouble,
        seen="ended by itself, every digest matches",
        limit="ended, sealed, unchanged",
        reason="half a record proves nothing about the other half",
    )


def phases_kept(timeline: Timeline) -> Check:
    """Every phase happened when the plan said; in a run that may stop early, one after the other and none longer."""
    odd = []
    for phase in timeline.scenario.phases:
        for edge, due in (("start", phase.start), ("end", phase.end)):
            event = timeline.first("phase", name=phase.name, edge=edge)
            if event is None or not abs(event.t - due) <= SLIP:
                odd.append(f"{phase.name} {edge} " + ("never came" if event is None else f"at {event.t:.1f} s"))
        odd += _wrongly_ended(timeline, phase)
    early = sum(1 for phase in timeline.scenario.phases if phase.planned is not None and _is_short(phase))
    return check_of(
        "phases kept",
        "; ".join(odd[:3]),
        seen=f"every phase in its turn, {early} ended early" if early else "every phase on time",
        limit=f"each edge within {show_duration(SLIP)}",
        reason="requests are assigned by phase",
    )


def _is_short(phase: Phase) -> bool:
    return not phase.length >= phase.longest - SLIP


def _wrongly_ended(timeline: Timeline, phase: Phase) -> list[str]:
    """What is wrong with the end of a phase that bears the times it was played; in the plan itself, nothing."""
    if phase.planned is None:
        return []
    ends = timeline.of("phase", name=phase.name, edge="end")
    took = f"{phase.name} took {phase.length:.1f} s of {show_duration(phase.planned)}"
    if timeline.scenario.stop != "early" or len(ends) != 1 or not phase.length <= phase.planned + SLIP:
        return [took]
    if not phase.length >= phase.shortest - SLIP:
        return [f"{took}, at least {show_duration(phase.shortest)} are needed"]
    return [f"{took}, and nothing says why"] if _is_short(phase) and ends[0].data.get("early") is not True else []


def fault_bit(timeline: Timeline) -> Check:
    """Every phase with an experiment saw its fault bite, and played its method whole."""
    missed = []
    for phase in timeline.scenario.phases:
        steps = timeline.of("fault", phase=phase.name)
        # One that bites only after its phase left the phase without a fault.
        seen = {one.data.get("id") for one in steps if one.data.get("step") == "observed" and _within(one.t, phase)}
        struck = {event.data.get("id") for event in steps if event.data.get("step") in _BEGUN}
        if phase.chaos and not (seen and seen >= struck):
            why = next((str(event.data["detail"]) for event in steps if event.data.get("detail")), "nothing was struck")
            why = "not seen while the phase lasted" if struck and why == "nothing was struck" else why
            missed.append(f"{phase.chaos} in phase {phase.name}: {why}")
        odd = [event for event in steps if event.data.get("step") in _SPOILT]
        missed += [f"{phase.chaos} in phase {phase.name}: {one.data['step']}, {one.data.get('detail')}" for one in odd]
    # A second action that raised before it struck left no step: only the experiment's own end tells of it.
    missed += [f"not played whole: {one.data['detail']}" for one in _ended(timeline, "detail")]
    return check_of(
        "fault seen to bite",
        "; ".join(missed),
        seen="every fault was seen to bite",
        limit="each one",
        reason="a fault that missed tests nothing",
    )


def fault_gone(timeline: Timeline) -> Check:
    """Every fault that was asked for was seen gone, and every role is ready again."""
    steps = timeline.of("fault")
    gone = {event.data.get("id") for event in steps if event.data["step"] in _OVER and math.isfinite(event.t)}
    asked = {event.data.get("id"): event for event in steps}
    stuck = [f"{event.data['fault']} of {event.data['target']}" for key, event in asked.items() if key not in gone]
    trouble, bad = (f"never seen gone: {', '.join(stuck)}" if stuck else ""), State.NOT_RESTORED
    after = timeline.first("restored")
    if not trouble and after is not None and after.data.get("ok") is not True:
        trouble = f"not ready at the end: {after.data.get('detail')}"
        # What this run never struck is not its fault to restore, but a platform in pieces proves nothing either.
        bad = State.UNKNOWN if after.data.get("ours") is False else State.NOT_RESTORED
    if not trouble and after is not None and not all(event.t <= after.t for event in steps):
        trouble, bad = "nobody looked after the last fault whether the platform is ready", State.UNKNOWN
    if not trouble and after is None:
        trouble, bad = "nobody looked whether the platform is ready", State.UNKNOWN
    failed = [f"rollback {one.data['left']}" for one in _ended(timeline, "left")]
    if failed and not (trouble and bad is State.NOT_RESTORED):
        trouble, bad = "; ".join(failed), State.NOT_RESTORED
    return check_of(
        "platform restored",
        trouble,
        seen="every fault seen gone",
        limit="each one, and every replica ready",
        reason="a fault must not outlive its run",
        bad=bad,
    )


def _ended(timeline: Timeline, trouble: str) -> list[Event]:
    """Experiments whose end tells of trouble."""
    return [event for event in timeline.of("chaos") if event.data.get(trouble)]


def _within(t: float, phase: Phase) -> bool:
    return phase.start - SLIP <= t <= phase.end + SLIP


def clock_sane(timeline: Timeline) -> Check:
    """The wall clock, by which Prometheus and alerts are placed, ran with the monotonic one."""
    end = timeline.first("end")
    wall = end.data.get("wall") if end else None
    slip = abs(timeline.anchor.from_wall(float(wall)) - end.t) if end and wall is not None else None
    trouble = ""
    if slip is None:
        trouble = "the run has no end to compare clocks at"
    elif not math.isfinite(slip):
        trouble = "the wall clock told no time"
    elif slip > _CLOCK_SLIP:
        trouble = f"the wall clock jumped by {show_duration(round(slip, 2))}"
    return check_of(
        "clock sane",
        trouble,
        seen="wall and monotonic clock agree",
        limit=f"at most {show_duration(_CLOCK_SLIP)} apart",
        reason="Prometheus and alerts are placed by wall time",
    )
