"""`link_down`: the way towards a replica is away: connections are refused, and those that were there are dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from holdfast.errors import InfrastructureError, TargetError
from holdfast.faults import base
from holdfast.faults.ways.links import LinkFault, call, demand, mark
from holdfast.model.fault import Words
from holdfast.model.hands import Links

if TYPE_CHECKING:
    from holdfast.faults.ways.links import Reply
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class LinkDown(LinkFault):
    """Seen to bite when connections are refused at the proxy, and the replica answers past it."""

    title: ClassVar = "cut off"
    words: ClassVar = Words(
        apply="let the fault proxy drop the connections to {target} and refuse new ones",
        bites="connections are refused at the proxy, and the replica answers past it",
        undo="let the proxy listen again",
        gone="an answer comes through the proxy, and the replica is ready",
    )
    Options: ClassVar[type[base.Options]] = base.Options
    toxic: ClassVar = "the cut"

    def attributes(self, options: base.Options) -> dict[str, int]:  # noqa: ARG002 - it has none
        """It is no toxic."""
        return {}

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Switched off in the strike's name, so that nobody else's undoing switches it on."""
        if not driver.alive(strike.target):
            raise TargetError(f"{strike.target.name} {strike.target.unit} is no longer what it was")
        body = {"enabled": False, "by": mark(strike), "lease": strike.lease}
        demand(driver.hand(Links).link(strike.target), "PATCH", body=body)

    def renew(self, driver: Driver, strike: Strike) -> None:
        """Put its end off, if it is still off."""
        call(driver.hand(Links).link(strike.target), "PATCH", body={"by": mark(strike), "lease": strike.lease})

    def shows(self, through: Reply, past: Reply, options: base.Options) -> bool:  # noqa: ARG002 - the same for all
        """Refused."""
        return through.end == "refused"

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Switched on again, as far as this strike is concerned."""
        try:
            call(driver.hand(Links).link(strike.target), "PATCH", body={"enabled": True, "by": mark(strike)})
        except InfrastructureError:
            return


FAULT = LinkDown()
