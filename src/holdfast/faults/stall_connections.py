"""`stall_connections`: the connections that a replica has now fall silent both ways; new ones are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.faults.ways import nft
from holdfast.faults.ways.packets import GONE, UNDO, ConnectionFault, struck
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Network

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.hands import Address
    from holdfast.model.platform import Driver


class StallConnections(ConnectionFault):
    """Seen to bite when the kernel sends the same packet of such a connection again and again, unanswered.

    Gone, a stream goes on where it stood, if both ends still wait for it.
    """

    title: ClassVar = "silent on its live connections"
    words: ClassVar = Words(
        apply="drop every packet of the connections that {target} has accepted and that are live",
        bites="one of them is established still, and what it sends is dropped and sent again",
        undo=UNDO,
        gone=GONE,
    )

    def rules(self, options: Any, strike: Strike) -> tuple[str, ...]:  # noqa: ARG002 - there are no options
        """Both ways."""
        return (f"{nft.ASKING} drop", f"{nft.ANSWERING} drop")

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """The kernel repeats itself; on idle connections there is nothing to be seen."""
        live: dict[tuple[Address, ...], int] = {
            (one.near, one.far): one.resent for one in driver.hand(Network).connections(strike.target)
        }
        held = [one for one in struck(driver, strike) if one.key in live]
        silent = [one for one in held if one.packets and live[one.key]]
        return Sight(bool(silent), f"{len(silent)} of {len(held)} live connections send the same packet again")


FAULT = StallConnections()
