"""`stream_stall`: some streams stop in the middle, and their connection stays open."""

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

    tokens: int = Field(5, ge=0, le=10**6, description="that come before the silence (tokens)")


class StreamStall(AnswerFault):
    """Seen to bite when an answer of our own falls silent after so many tokens."""

    title: ClassVar = "stalling answers"
    door: ClassVar = "stall"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="let {target} say nothing more after {tokens} tokens",
        bites="an answer of our own falls silent there for a second; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def shows(self, heard: Heard, options: Wanted) -> bool:
        """Silent, and not before."""
        return heard.end == "silent" and len(heard.tokens) == options.tokens

    def provoke(self, engine: Engine, options: Wanted) -> Heard:
        """Longer than where it halts."""
        return engine.chat(tokens=options.tokens + WELL, wait=1.0)


FAULT = StreamStall()
