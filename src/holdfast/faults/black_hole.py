"""`black_hole`: some requests are taken and never answered, not even with a header."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from holdfast.faults.ways.engine import AnswerFault
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.ways.asking import Heard
    from holdfast.faults.ways.engine import Engine, Picked


class BlackHole(AnswerFault):
    """Seen to bite when a request of our own gets no header for a second, while /health answers."""

    title: ClassVar = "swallowing requests"
    door: ClassVar = "black-hole"
    words: ClassVar = Words(
        apply="let {target} take requests and not answer them",
        bites="a request of our own gets no header for a second; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def shows(self, heard: Heard, options: Picked) -> bool:  # noqa: ARG002 - the same for all
        """Taken, and not a byte."""
        return heard.status is None and heard.end == "silent"

    def provoke(self, engine: Engine, options: Picked) -> Heard:  # noqa: ARG002 - the same for all
        """A little patience; it answers at once when it is well."""
        return engine.chat(wait=1.0)


FAULT = BlackHole()
