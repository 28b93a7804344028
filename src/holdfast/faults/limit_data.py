"""`limit_data`: each connection towards a replica is closed after so many bytes, in the middle of what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.faults.ways.links import LinkFault, LinkOptions, call, mark
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.links import Reply
    from holdfast.model.fault import Strike
    from holdfast.model.hands import Link


class LimitOptions(LinkOptions):
    """After how many."""

    bytes: int = Field(ge=0, description="bytes on each connection, from now on")


class LimitData(LinkFault):
    """Seen to bite when an answer longer than the limit is cut there; or when the proxy tells of connections cut."""

    title: ClassVar = "cut short"
    words: ClassVar = Words(
        apply="close each connection to {target} at the fault proxy after {bytes} bytes",
        bites="an answer is cut there through the proxy and whole past it; or the proxy cut connections of others",
        undo="take the toxic away",
        gone="the proxy has it no longer, an answer comes through, and the replica is ready",
    )
    Options: ClassVar[type[Options]] = LimitOptions
    toxic: ClassVar = "limit_data"

    def attributes(self, options: LimitOptions) -> dict[str, int]:
        """The same one."""
        return {"bytes": options.bytes}

    def shows(self, through: Reply, past: Reply, options: LimitOptions) -> bool:
        """Exactly the limit came, and there was more."""
        return through.size == options.bytes < past.size

    def otherwise(self, link: Link, strike: Strike, unseen: Sight) -> Sight:
        """An answer shorter than the limit shows nothing: then it is what really happened to others that tells."""
        status, told = call(link, "GET", "/observed")
        cuts = told["toxics"].get(mark(strike), {}).get("cuts", 0) if status == 200 else 0  # noqa: PLR2004
        return Sight(True, f"{cuts} connections were cut") if cuts else unseen


FAULT = LimitData()
