"""`kill_connections`: the connections that a replica has now are reset; new ones are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.faults.ways import nft
from holdfast.faults.ways.packets import GONE, UNDO, ConnectionFault, struck
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Network

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class KillConnections(ConnectionFault):
    """Seen to bite when a connection that met a reset is no longer established.

    A stream ends with the next packet that its client acknowledges; an idle connection when it is used again.
    """

    title: ClassVar = "resetting its live connections"
    words: ClassVar = Words(
        apply="answer every packet of the connections that {target} has accepted and that are live with a TCP reset",
        bites="the kernel counts packets refused on one of them, and it is no longer established",
        undo=UNDO,
        gone=GONE,
    )

    def rules(self, options: Any, strike: Strike) -> tuple[str, ...]:  # noqa: ARG002 - there are no options
        """Towards the replica; the client's own reset then ends the other end."""
        return (f"{nft.NO_RESET} {nft.ASKING} reject with tcp reset",)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """It is gone from the kernel's table. A connection belongs to the incarnation that had accepted it."""
        live = {(one.near, one.far) for one in driver.hand(Network).connections(strike.target)}
        mine = [one for one in struck(driver, strike) if one.unit == strike.target.unit]
        ended = [one for one in mine if one.packets and one.key not in live]
        return Sight(bool(ended), f"{len(ended)} of {len(mine)} connections were reset")


FAULT = KillConnections()
