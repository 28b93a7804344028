"""May this record be judged? Each check has a name, a limit with its reason, and what depends on it.

A check never fails a platform: it passes, or it says UNKNOWN, or NOT_RESTORED when a fault may still be there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import Check, State
from holdfast.trust.load import load_offered
from holdfast.trust.record import clock_sane, fault_bit, fault_gone, phases_kept, record_whole
from holdfast.trust.timing import allowed_lateness, lateness_limit, load_on_time
from holdfast.trust.witnesses import alerts_heard, prometheus_watched, witnesses_agree

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.model.timeline import Timeline

__all__ = [
    "CHECKS",
    "alerts_heard",
    "allowed_lateness",
    "checks",
    "clock_sane",
    "fault_bit",
    "fault_gone",
    "lateness_limit",
    "load_offered",
    "load_on_time",
    "phases_kept",
    "prometheus_watched",
    "record_whole",
    "witnesses_agree",
]

CHECKS: Final[tuple[Callable[[Timeline], Check], ...]] = (
    record_whole,
    phases_kept,
    load_offered,
    load_on_time,
    fault_bit,
    fault_gone,
    prometheus_watched,
    witnesses_agree,
    alerts_heard,
    clock_sane,
)


def checks(timeline: Timeline) -> tuple[Check, ...]:
    """Every question of trust, answered from the record alone."""
    return tuple(_asked(check, timeline) for check in CHECKS)


def _asked(check: Callable[[Timeline], Check], timeline: Timeline) -> Check:
    """The check's answer; one that raised could not be made, and that is UNKNOWN."""
    try:
        return check(timeline)
    except Exception as error:  # noqa: BLE001 - a check that breaks must never pass
        name = check.__name__.replace("_", " ")
        seen = f"the check itself broke: {type(error).__name__}: {error}"
        return Check(name=name, state=State.UNKNOWN, seen=seen, limit="", reason="no check, no trust")
