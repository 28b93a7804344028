"""`empty_200`: some answers are empty, though their status is 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.faults.ways.engine import AnswerFault
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.ways.asking import Heard
    from holdfast.faults.ways.engine import Picked

_OK: Final = 200


class Empty200(AnswerFault):
    """Seen to bite when an answer of our own has status 200 and no event."""

    title: ClassVar = "saying nothing"
    door: ClassVar = "empty-200"
    words: ClassVar = Words(
        apply="let answers of {target} have status 200 and no body",
        bites="an answer of our own is empty; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def shows(self, heard: Heard, options: Picked) -> bool:  # noqa: ARG002 - the same for all
        """A status and nothing."""
        return (heard.status, heard.events, heard.end) == (_OK, 0, "ended")


FAULT = Empty200()
