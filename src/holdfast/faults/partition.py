"""`partition`: a replica is cut off from everybody: the kernel drops what goes to its address and comes from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.faults.ways import nft
from holdfast.faults.ways.packets import GONE, UNDO, AddressFault
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.model.fault import Sight, Strike
    from holdfast.model.platform import Driver


class Partition(AddressFault):
    """Seen to bite when nobody who tries to connect gets an answer. The admin port is never cut off."""

    title: ClassVar = "cut off"
    words: ClassVar = Words(
        apply="drop every packet to and from the address of {target}",
        bites="an attempt to connect there is neither answered nor refused, and the kernel counts packets dropped",
        undo=UNDO,
        gone=GONE,
    )

    def rules(self, options: Any, strike: Strike) -> tuple[str, ...]:  # noqa: ARG002 - the same for every strike
        """Both ways."""
        return (f"{nft.TOWARDS} drop", f"{nft.FROM} drop")

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Silence."""
        return self.knocked(driver, strike, "silent")


FAULT = Partition()
