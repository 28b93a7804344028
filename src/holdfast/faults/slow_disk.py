"""`slow_disk`: one replica's reads and writes go at so many bytes a second (cgroup throttling): who syncs, waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.errors import TargetError
from holdfast.faults.base import Options
from holdfast.faults.ways.confined import Confined
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Groups

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_LOOK: Final = 0.5
"""Seconds that the write by which we look takes at the bound; the first tenth of a second's bytes pass at once."""
_BLOCK: Final = 4096


class Rate(Options):
    """How fast it still is."""

    kibibytes: int = Field(
        default=1024,
        ge=16,
        le=16384,
        description="What it may read, and what it may write, on the disk of its data, in KiB a second.",
    )


class SlowDisk(Confined):
    """Slow is what waits for the disk: fsync, O_DSYNC, direct, reads that are not cached; what is only buffered is not.

    Seen to bite by a write of our own in the replica's group: whether the replica writes at all is another question.
    """

    title: ClassVar = "on a slow disk"
    words: ClassVar = Words(
        apply="put {target} into a control group that reads and writes {kibibytes} KiB/s on the disk of its data",
        bites="a synchronous write of our own takes long there, twice running, and less than half as long outside",
        undo="put its processes back to where they were and remove the group",
        gone="there is no such group, such a write is not slow where {target} is, and a replica of that name is ready",
    )
    Options: ClassVar = Rate
    bites_within: ClassVar = 10.0

    def reach(self, driver: Driver, strike: Strike) -> None:
        """Its data must lie on a disk that the kernel can slow down."""
        super().reach(driver, strike)
        driver.hand(Groups).disk(strike.target)

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Confine exactly this incarnation."""
        driver.hand(Groups).confine(strike.target, strike.id, rate=self._rate(strike))

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """It is in the group, and whoever writes there waits."""
        if not driver.hand(Groups).holds(strike.target, strike.id):
            return Sight(False, f"{strike.target.name} is not confined")
        return self._twice(driver, strike)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """Also where it is now, nobody waits; a successor was never in the group."""
        sight = super().gone(driver, strike)
        if not sight.seen or not driver.alive(strike.target):
            return sight
        slow = self._twice(driver, strike)
        return Sight(False, slow.detail) if slow.seen else sight

    def _rate(self, strike: Strike) -> int:
        return int(self.read(strike.options).kibibytes) * 1024

    def _twice(self, driver: Driver, strike: Strike) -> Sight:
        """Once may be a moment of the disk's own."""
        first = self._slow(driver, strike)
        return self._slow(driver, strike) if first.seen else first

    def _slow(self, driver: Driver, strike: Strike) -> Sight:
        """Slower than half of the bound alone would make it, and than the disk is for others at this moment."""
        size = max(_BLOCK, int(self._rate(strike) * _LOOK))
        pace = driver.hand(Groups).pace(strike.target, strike.id, size)
        if pace is None:
            raise TargetError(f"{strike.target.name} {strike.target.unit} no longer exists")
        name = strike.target.name
        detail = f"{size >> 10} KiB took {pace.inside:.2f} s where {name} is, {pace.outside:.2f} s outside"
        return Sight(pace.inside >= _LOOK / 2 and pace.inside > 2 * pace.outside, detail)


FAULT = SlowDisk()
