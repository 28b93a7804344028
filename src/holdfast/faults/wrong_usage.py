"""`wrong_usage`: some answers count their tokens wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.faults.ways.engine import AnswerFault, Picked
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.asking import Heard


class Wanted(Picked):
    """How, and which answers."""

    off: int = Field(100, ge=-(10**6), le=10**6, description="added to what an answer has, never below 0 (tokens)")


class WrongUsage(AnswerFault):
    """Seen to bite when an answer of our own says that it has other than its own tokens."""

    title: ClassVar = "counting wrongly"
    door: ClassVar = "wrong-usage"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="add {off} to the tokens that answers of {target} say they have",
        bites="the usage of an answer of our own is not what came; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def shows(self, heard: Heard, options: Wanted) -> bool:  # noqa: ARG002 - the same for all
        """It counts other than it says."""
        return heard.end == "done" and heard.usage is not None and not heard.counted


FAULT = WrongUsage()
