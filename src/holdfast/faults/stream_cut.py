"""`stream_cut`: some connections break in the middle of the answer."""

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

    tokens: int = Field(5, ge=0, le=10**6, description="that come before the break (tokens)")


class StreamCut(AnswerFault):
    """Seen to bite when an answer of our own breaks off after so many tokens."""

    title: ClassVar = "cutting answers"
    door: ClassVar = "cut"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="close the connections of {target} after {tokens} tokens",
        bites="an answer of our own breaks off there; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def shows(self, heard: Heard, options: Wanted) -> bool:
        """Broken off, and not before."""
        return heard.end == "cut" and len(heard.tokens) == options.tokens

    def provoke(self, engine: Engine, options: Wanted) -> Heard:
        """Longer than where it breaks."""
        return engine.chat(tokens=options.tokens + WELL)


FAULT = StreamCut()
