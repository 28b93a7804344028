"""`cpu_quota`: one replica gets a part of a core and no more (cgroup CPU quota): it stands still, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.confined import Confined
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Groups

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Quota(Options):
    """How much is left."""

    cores: float = Field(
        default=0.1, ge=0.01, le=64, description="Processor time it gets, in cores: 0.1 is 10 ms of every 100 ms."
    )


class CpuQuota(Confined):
    """Seen to bite when the kernel made it wait: a replica that wants less than its quota is not struck by it."""

    title: ClassVar = "short of processor time"
    words: ClassVar = Words(
        apply="put {target} into a control group with a quota of {cores} cores",
        bites="the kernel counts periods in which it had to wait (nr_throttled)",
        undo="put its processes back to where they were and remove the group",
        gone="there is no such group, and a replica of that name is ready",
    )
    Options: ClassVar = Quota
    bites_within: ClassVar = 5.0

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Confine exactly this incarnation."""
        driver.hand(Groups).confine(strike.target, strike.id, cpus=self.read(strike.options).cores)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """It is in the group, and the group was throttled."""
        groups = driver.hand(Groups)
        census = groups.census(strike.id)
        if census is None or not groups.holds(strike.target, strike.id):
            return Sight(False, f"{strike.target.name} is not confined")
        return Sight(census.throttled > 0, f"throttled in {census.throttled} periods")


FAULT = CpuQuota()
