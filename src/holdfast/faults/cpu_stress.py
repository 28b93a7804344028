"""`cpu_stress`: greedy neighbours: one replica shares its processor time with programs that want all of it."""

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

_TAKEN: Final = 0.1
"""Seconds of processor time that neighbours must have had to count: more than starting took them."""


class Stress(Options):
    """How many neighbours, on how much."""

    workers: int = Field(default=2, ge=1, le=16, description="Programs that burn processor time beside the replica.")
    cores: float = Field(
        default=0.5, ge=0.05, le=8, description="What the replica and they have together, in cores; nobody else pays."
    )


class CpuStress(Confined):
    """Replica and neighbours share one quota, so that what is beside them on the machine keeps its own."""

    title: ClassVar = "among greedy neighbours"
    words: ClassVar = Words(
        apply="put {target} into a control group of {cores} cores, and {workers} programs that burn them beside it",
        bites="the programs had a tenth of a second of processor time in the group where {target} is",
        undo="end the programs, put the replica back, remove the group",
        gone="there is no such group, and a replica of that name is ready",
    )
    Options: ClassVar = Stress
    bites_within: ClassVar = 10.0

    def apply(self, driver: Driver, strike: Strike) -> None:
        """The group first: no guest ever runs outside of it."""
        options: Stress = self.read(strike.options)
        groups = driver.hand(Groups)
        groups.confine(strike.target, strike.id, cpus=options.cores)
        for _ in range(options.workers):
            groups.invite(strike.id, guest_words("burn", strike.lease))

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Every neighbour is there, and they had time that the replica could have had."""
        groups = driver.hand(Groups)
        census, wanted = groups.census(strike.id), self.read(strike.options).workers
        if census is None or not groups.holds(strike.target, strike.id):
            return Sight(False, f"{strike.target.name} is not confined")
        detail = f"{census.guests} neighbours had {census.spent:.2f} s, throttled in {census.throttled} periods"
        return Sight(census.guests >= wanted and census.spent >= _TAKEN, detail)


FAULT = CpuStress()
