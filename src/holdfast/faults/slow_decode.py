"""`slow_decode`: some answers come token by token with long waits between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.faults.ways.engine import PATIENCE, AnswerFault, Picked
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.asking import Heard
    from holdfast.faults.ways.engine import Engine

_TOKENS: Final = 4
_GAPS: Final = 2
"""A real engine may make a token that has no text."""


class Wanted(Picked):
    """How, and which answers."""

    each: float = Field(0.3, ge=0.05, le=2, description="before each token but the first (s)")


class SlowDecode(AnswerFault):
    """Seen to bite when an answer of our own takes that long for its later tokens."""

    title: ClassVar = "slow to go on"
    door: ClassVar = "slow"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="make answers of {target} wait {each} s before each later token",
        bites="the tokens of an answer of our own come that far apart; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def shows(self, heard: Heard, options: Wanted) -> bool:
        """All waits together: a single one may be short on a busy machine."""
        gaps = len(heard.tokens) - 1
        return gaps >= _GAPS and heard.tokens[-1] - heard.tokens[0] >= 0.9 * options.each * gaps

    def provoke(self, engine: Engine, options: Wanted) -> Heard:
        """A few tokens."""
        return engine.chat(tokens=_TOKENS, wait=options.each + PATIENCE)


FAULT = SlowDecode()
