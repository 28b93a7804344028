"""`no_done`: some streams end properly as HTTP goes, but without their end mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from holdfast.faults.ways.engine import AnswerFault
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.ways.asking import Heard
    from holdfast.faults.ways.engine import Picked


class NoDone(AnswerFault):
    """Seen to bite when an answer of our own has a finish reason and no [DONE]."""

    title: ClassVar = "forgetting [DONE]"
    door: ClassVar = "no-done"
    words: ClassVar = Words(
        apply="leave [DONE] away in streams of {target}",
        bites="an answer of our own ends without it; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def shows(self, heard: Heard, options: Picked) -> bool:  # noqa: ARG002 - the same for all
        """Finished, ended, not marked."""
        return bool(heard.finished) and heard.end == "ended"


FAULT = NoDone()
