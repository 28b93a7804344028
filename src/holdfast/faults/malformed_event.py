"""`malformed_event`: some events are no JSON; those around them are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.faults.ways.engine import WELL, AnswerFault, Picked
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.asking import Heard
    from holdfast.faults.ways.engine import Engine


class Wanted(Picked):
    """How, and which answers."""

    tokens: int = Field(2, ge=0, le=10**6, description="that come before the broken one (tokens)")


class MalformedEvent(AnswerFault):
    """Seen to bite when an answer of our own has an event that cannot be read."""

    title: ClassVar = "talking nonsense"
    door: ClassVar = "malformed-event"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="cut one event of each answer of {target} in half, after {tokens} tokens",
        bites="an answer of our own has an event that is no JSON; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def shows(self, heard: Heard, options: Wanted) -> bool:  # noqa: ARG002 - the same for all
        """It cannot be read."""
        return bool(heard.broken)

    def provoke(self, engine: Engine, options: Wanted) -> Heard:
        """Longer than where it is broken."""
        return engine.chat(tokens=options.tokens + WELL)


FAULT = MalformedEvent()
