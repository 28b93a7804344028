"""`oom`: one replica may take no more memory (cgroup limit), and the kernel kills it when it tries."""

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


class Room(Options):
    """How much more it may take."""

    mebibytes: float = Field(
        default=0, ge=0, le=65536, description="Memory that it may still take, in MiB, before the kernel ends it."
    )


class Oom(Confined):
    """What it has already is not counted, what it takes from now on is: the next connection, the next answer.

    Its successor starts outside of the group, so that it is killed once.
    """

    title: ClassVar = "killed for want of memory"
    words: ClassVar = Words(
        apply="put {target} into a control group that may take {mebibytes} MiB more",
        bites="the kernel counts a kill for want of memory in that group, and that incarnation no longer exists",
        undo="remove the group, and ask the platform to run what should run",
        gone="there is no such group, and a replica of that name is ready",
    )
    Options: ClassVar = Room
    bites_within: ClassVar = 10.0

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Confine exactly this incarnation."""
        limit = round(self.read(strike.options).mebibytes * 1024 * 1024)
        driver.hand(Groups).confine(strike.target, strike.id, memory=limit)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """The kernel says so, and it is gone."""
        census = driver.hand(Groups).census(strike.id)
        kills, alive = (census.kills if census else 0), driver.alive(strike.target)
        detail = f"{kills} killed for want of memory, {strike.target.unit} {'still runs' if alive else 'is gone'}"
        return Sight(kills > 0 and not alive, detail)


FAULT = Oom()
