"""`memory_stress`: a neighbour holds memory: one replica shares a bound with a program that has taken most of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.confined import Confined, guest_words
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Groups

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_MIB: Final = 1024 * 1024
_SELF: Final = 16 * _MIB
"""What the neighbour needs to be a process at all."""


class Held(Options):
    """How much is held, how much is left."""

    mebibytes: int = Field(default=64, ge=1, le=4096, description="Memory that the neighbour holds, in MiB.")
    left: int = Field(
        default=32, ge=1, le=4096, description="What the replica may still take, in MiB, before somebody is killed."
    )


class MemoryStress(Confined):
    """The bound of the group is what keeps the machine safe: beyond it the kernel ends the neighbour first."""

    title: ClassVar = "beside a neighbour that holds memory"
    words: ClassVar = Words(
        apply="put {target} into a control group with a program that holds {mebibytes} MiB and leaves it {left} MiB",
        bites="the kernel counts that memory in the group where the replica is",
        undo="end the program, put the replica back, remove the group",
        gone="there is no such group, and a replica of that name is ready",
    )
    Options: ClassVar = Held

    def apply(self, driver: Driver, strike: Strike) -> None:
        """The bound first: no byte is ever held outside of it."""
        options: Held = self.read(strike.options)
        size = options.mebibytes * _MIB
        groups = driver.hand(Groups)
        groups.confine(strike.target, strike.id, memory=size + options.left * _MIB + _SELF)
        groups.invite(strike.id, guest_words("hold", strike.lease, size))

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """It is held, in the group where the replica is."""
        groups = driver.hand(Groups)
        census, size = groups.census(strike.id), self.read(strike.options).mebibytes * _MIB
        if census is None or not groups.holds(strike.target, strike.id):
            return Sight(False, f"{strike.target.name} is not confined")
        detail = f"{census.memory // _MIB} MiB in its group, {census.guests} neighbours"
        return Sight(census.memory >= size and census.guests > 0, detail)


FAULT = MemoryStress()
