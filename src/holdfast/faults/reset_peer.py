"""`reset_peer`: every connection towards a replica is reset at the first byte, and the byte is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.faults.ways.links import LinkFault, LinkOptions
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.links import Reply


class ResetOptions(LinkOptions):
    """When."""

    timeout: int = Field(0, ge=0, lt=900, description="milliseconds after the first byte")


class ResetPeer(LinkFault):
    """Seen to bite when a question through the proxy is answered by a TCP reset, and past it is answered."""

    title: ClassVar = "resetting connections"
    words: ClassVar = Words(
        apply="reset every connection to {target} at the fault proxy when its first byte comes",
        bites="a question through the proxy gets a reset, and past it an answer",
        undo="take the toxic away",
        gone="the proxy has it no longer, an answer comes through, and the replica is ready",
    )
    Options: ClassVar[type[Options]] = ResetOptions
    toxic: ClassVar = "reset_peer"

    def attributes(self, options: ResetOptions) -> dict[str, int]:
        """The same one."""
        return {"timeout": options.timeout}

    def shows(self, through: Reply, past: Reply, options: ResetOptions) -> bool:  # noqa: ARG002 - the same for all
        """A reset, and not a byte."""
        return through.end == "reset" and not through.pieces


FAULT = ResetPeer()
