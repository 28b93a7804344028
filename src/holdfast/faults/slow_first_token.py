"""`slow_first_token`: some answers wait long for their first token, and come at their usual pace after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from holdfast.faults.ways.engine import AnswerFault, Picked
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.asking import Heard
    from holdfast.faults.ways.engine import Engine

_LONGEST: Final = 3.0
_OK: Final = 200


class Wanted(Picked):
    """How, and which answers."""

    seconds: float = Field(5.0, ge=0.2, le=600, description="before the first token (s)")


class SlowFirstToken(AnswerFault):
    """Seen to bite when an answer has no token for that long, or for as long as we look."""

    title: ClassVar = "slow to begin"
    door: ClassVar = "slow"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="make answers of {target} wait {seconds} s before their first token",
        bites="an answer of our own has no token for so long, 3 s at most; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def parameters(self, options: Wanted) -> dict[str, Any]:
        """The door knows one kind of slowness for both."""
        return {"first": options.seconds, "each": 0.0}

    def shows(self, heard: Heard, options: Wanted) -> bool:
        """No token before its time."""
        return heard.status == _OK and (not heard.tokens or heard.tokens[0] >= 0.9 * _looked(options))

    def provoke(self, engine: Engine, options: Wanted) -> Heard:
        """Look for as long as it may take, but not too long."""
        return engine.chat(tokens=1, wait=_looked(options))


def _looked(options: Wanted) -> float:
    return min(options.seconds, _LONGEST)


FAULT = SlowFirstToken()
