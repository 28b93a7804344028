"""`slicer`: what a replica says comes in pieces of a few bytes, cut anywhere: in an event, in a character."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field, model_validator

from holdfast.faults.ways.links import LinkFault, LinkOptions
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.links import Reply

_MANY: Final = 4
"""Times as many pieces as past the proxy."""


class SlicerOptions(LinkOptions):
    """How small."""

    average_size: int = Field(4, ge=1, description="bytes")
    size_variation: int = Field(3, ge=0, description="bytes, up or down; less than the average")
    delay: int = Field(100, ge=1, description="microseconds after each piece, without which the kernel glues them")

    @model_validator(mode="after")
    def _leaves_something(self) -> SlicerOptions:
        if self.size_variation >= self.average_size:
            raise ValueError("size_variation must be less than average_size")
        return self


class Slicer(LinkFault):
    """Seen to bite when an answer comes through in many small pieces, and past the proxy in few."""

    title: ClassVar = "sliced"
    words: ClassVar = Words(
        apply="cut what {target} says into pieces of about {average_size} bytes at the fault proxy",
        bites="an answer comes through in many pieces of that size, and past the proxy in few",
        undo="take the toxic away",
        gone="the proxy has it no longer, an answer comes through, and the replica is ready",
    )
    Options: ClassVar[type[Options]] = SlicerOptions
    toxic: ClassVar = "slicer"

    def attributes(self, options: SlicerOptions) -> dict[str, int]:
        """The same three."""
        return options.model_dump(include={"average_size", "size_variation", "delay"})

    def shows(self, through: Reply, past: Reply, options: SlicerOptions) -> bool:
        """Several slices may have come between two looks of ours, hence the room."""
        largest = options.average_size + options.size_variation
        many = len(through.pieces) >= _MANY * len(past.pieces)
        return many and median(through.pieces) <= _MANY * largest


FAULT = Slicer()
