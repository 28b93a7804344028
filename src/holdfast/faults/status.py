"""`status`: some requests are refused as a provider refuses: with a status, its error and perhaps Retry-After."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.faults.ways.engine import AnswerFault, Picked
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.asking import Heard


class Wanted(Picked):
    """How, and which answers."""

    status: Literal[400, 429, 500, 503] = Field(503, description="of the answer")
    retry_after: int | None = Field(None, ge=0, le=3600, description="the header Retry-After (s); none: no such header")
    reason: Literal["context_length_exceeded", "content_filter"] = Field(
        "context_length_exceeded", description="the error's code, of status 400 alone"
    )


class Status(AnswerFault):
    """Seen to bite when a request of our own is answered with just this status."""

    title: ClassVar = "refusing"
    door: ClassVar = "status"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="answer requests to {target} with status {status}",
        bites="a request of our own is answered so; or requests were struck",
        undo="end it at the engine's door, or at the fault proxy",
        gone="it is there no longer, and an answer of our own is whole",
    )

    def shows(self, heard: Heard, options: Wanted) -> bool:
        """This status and no other."""
        return heard.status == options.status


FAULT = Status()
