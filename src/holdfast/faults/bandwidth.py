"""`bandwidth`: each connection towards a replica carries so many kilobytes a second and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.faults.ways.links import LinkFault, LinkOptions
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.links import Reply

_LONG: Final = 0.25
"""Seconds that an answer must take to tell a rate by."""
_SLACK: Final = 1.3


class BandwidthOptions(LinkOptions):
    """How narrow."""

    rate: int = Field(ge=1, description="kilobytes a second, of 1000 bytes")


class Bandwidth(LinkFault):
    """Seen to bite when an answer comes through at no more than the rate, and much faster past the proxy."""

    title: ClassVar = "behind a narrow link"
    words: ClassVar = Words(
        apply="let each connection to {target} carry {rate} kB/s at the fault proxy",
        bites="an answer comes through at no more than that, and faster past the proxy",
        undo="take the toxic away",
        gone="the proxy has it no longer, an answer comes through, and the replica is ready",
    )
    Options: ClassVar[type[Options]] = BandwidthOptions
    toxic: ClassVar = "bandwidth"

    def attributes(self, options: BandwidthOptions) -> dict[str, int]:
        """The rate."""
        return {"rate": options.rate}

    def shows(self, through: Reply, past: Reply, options: BandwidthOptions) -> bool:
        """Slow for so long that it is no chance."""
        slow = through.took >= max(_LONG, 2 * past.took)
        return slow and 0 < through.size <= _SLACK * 1000 * options.rate * through.took


FAULT = Bandwidth()
