"""`timeout`: the way towards a replica is a black hole: connections are accepted, and nothing ever comes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.faults.ways.links import LinkFault, LinkOptions
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.links import Reply


class TimeoutOptions(LinkOptions):
    """For how long."""

    timeout: int = Field(0, ge=0, description="milliseconds after which the connection is closed; 0 is never")


class Timeout(LinkFault):
    """Seen to bite when a question through the proxy is accepted and gets not a byte, while past it comes an answer."""

    title: ClassVar = "behind a black hole"
    words: ClassVar = Words(
        apply="let the fault proxy swallow what goes between {target} and those who ask it",
        bites="a connection through the proxy is accepted and gets not a byte; past it comes an answer",
        undo="take the toxic away, and close the connections that lost bytes",
        gone="the proxy has it no longer, an answer comes through, and the replica is ready",
    )
    Options: ClassVar[type[Options]] = TimeoutOptions
    toxic: ClassVar = "timeout"

    def attributes(self, options: TimeoutOptions) -> dict[str, int]:
        """The same one."""
        return {"timeout": options.timeout}

    def shows(self, through: Reply, past: Reply, options: TimeoutOptions) -> bool:  # noqa: ARG002 - the same for all
        """Neither refused nor reset, and nothing came."""
        return through.end in ("silent", "closed") and not through.pieces


FAULT = Timeout()
