"""`reject`: a replica's address answers everything with a reset, as if nobody listened, though the process is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.faults.ways import nft
from holdfast.faults.ways.packets import GONE, UNDO, AddressFault
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.model.fault import Sight, Strike
    from holdfast.model.platform import Driver


class Reject(AddressFault):
    """Seen to bite when who tries to connect is refused. A live connection ends with the next packet of its client."""

    title: ClassVar = "refusing"
    words: ClassVar = Words(
        apply="answer every packet to the address of {target} with a TCP reset",
        bites="an attempt to connect there is refused, and the kernel counts packets refused",
        undo=UNDO,
        gone=GONE,
    )

    def rules(self, options: Any, strike: Strike) -> tuple[str, ...]:  # noqa: ARG002 - the same for every strike
        """One way: the other would refuse the resets themselves."""
        return (f"{nft.NO_RESET} {nft.TOWARDS} reject with tcp reset",)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Refused."""
        return self.knocked(driver, strike, "refused")


FAULT = Reject()
