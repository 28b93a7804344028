"""`latency`: what goes over the way towards a replica comes late, by `latency` ± `jitter` milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.faults.ways.links import LinkFault, LinkOptions
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.links import Reply

_SEEN = 0.8
"""Share of the least delay that must be seen: a loaded machine makes the way past the proxy slow too."""


class LatencyOptions(LinkOptions):
    """How late."""

    latency: int = Field(200, ge=20, description="milliseconds; less cannot be told from chance")
    jitter: int = Field(0, ge=0, description="milliseconds, up or down")

    @property
    def least(self) -> float:
        """Seconds by which every piece is late."""
        return max(0, self.latency - self.jitter) / 1000


class Latency(LinkFault):
    """Seen to bite when three answers in a row come that much later through the proxy than past it."""

    title: ClassVar = "late"
    words: ClassVar = Words(
        apply="let what {target} says and hears at the fault proxy wait for {latency} ms",
        bites="answers come that much later through the proxy than past it",
        undo="take the toxic away",
        gone="the proxy has it no longer, an answer comes through, and the replica is ready",
    )
    Options: ClassVar[type[Options]] = LatencyOptions
    toxic: ClassVar = "latency"
    times: ClassVar = 3

    def attributes(self, options: LatencyOptions) -> dict[str, int]:
        """The same two."""
        return {"latency": options.latency, "jitter": options.jitter}

    def shows(self, through: Reply, past: Reply, options: LatencyOptions) -> bool:
        """Later, however it ended."""
        came = through.first if through.pieces else through.took
        return came - past.first >= _SEEN * max(options.least, options.latency / 10_000)


FAULT = Latency()
