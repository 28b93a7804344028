"""`disk_full`: the small file system that one replica has for its data is full (ENOSPC)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from holdfast.faults.base import Fault
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Disks

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class DiskFull(Fault):
    """Refused where the replica's data lies with others': no machine's disk is ever filled."""

    title: ClassVar = "out of disk"
    family: ClassVar = "resource"
    words: ClassVar = Words(
        apply="fill the file system of {target}'s data folder, which must be its own and small, with one file",
        bites="a block written there fails: No space left on device",
        undo="remove that file",
        gone="a block can be written there, and a replica of that name is ready",
    )

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Take all that is free."""
        driver.hand(Disks).fill(strike.target, strike.id)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """A small write fails."""
        said = driver.hand(Disks).full(strike.target)
        return Sight(bool(said), said or "a block could be written")

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Give back what was taken."""
        driver.hand(Disks).free(strike.target, strike.id)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """A small write succeeds, and the replica serves."""
        if said := driver.hand(Disks).full(strike.target):
            return Sight(False, said)
        return ready_again(driver, strike.target)


FAULT = DiskFull()
