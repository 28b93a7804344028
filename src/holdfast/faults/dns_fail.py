"""`dns_fail`: a replica's name cannot be resolved: it is said not to exist, or cannot be told, or nothing is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.errors import TargetError
from holdfast.faults import base
from holdfast.faults.ways import resolving
from holdfast.faults.ways.links import LinkFault, ask, way
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Links

if TYPE_CHECKING:
    from holdfast.faults.ways.links import Reply
    from holdfast.model.fault import Strike
    from holdfast.model.hands import Link
    from holdfast.model.platform import Driver


class Wanted(base.Options):
    """How it fails."""

    answer: Literal["nxdomain", "servfail", "silence"] = Field(
        "silence", description="nxdomain: there is no such name; servfail: it cannot be told now; silence: no answer"
    )


class DnsFail(LinkFault):
    """Seen to bite when a question for the name is answered so, while the replica answers at its address.

    Silence is believed only of a server that answers a question for its own domain.
    """

    title: ClassVar = "without a name"
    words: ClassVar = Words(
        apply="let the platform's name server answer {answer} to whoever asks for the address of {target}",
        bites="a question for its name is answered so, or not at all; at its address {target} answers",
        undo="take the toxic away",
        gone="its name gives an address, an answer comes from there, and the replica is ready",
    )
    Options: ClassVar[type[base.Options]] = Wanted
    toxic: ClassVar = "name"

    def attributes(self, options: Wanted) -> dict[str, str]:
        """The same one."""
        return {"answer": options.answer}

    def shows(self, through: Reply, past: Reply, options: Any) -> bool:  # noqa: ARG002 - a way by address shows nothing
        """Not on the way itself."""
        return False

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Raises TargetError where nobody asks for names."""
        _named(driver, strike)
        super().apply(driver, strike)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """The name says so, its server is there, and the replica is well."""
        link, wanted = _named(driver, strike), self.read(strike.options).answer
        told = resolving.ask(link.resolver, link.host)
        if told.code != wanted:
            return Sight(False, f"{link.host} gives {told}")
        server = resolving.ask(link.resolver, link.host.partition(".")[2])
        if server.code != "noerror":
            return Sight(False, f"the name server says {server} to anything")
        past = ask(way(link).past, link.question)
        return Sight(bool(past.pieces), f"{link.host} gives {told}; at its address {past}")

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """It has an address again, and what every link has."""
        link = _named(driver, strike)
        told = resolving.ask(link.resolver, link.host)
        return super().gone(driver, strike) if told.good else Sight(False, f"{link.host} gives {told}")


def _named(driver: Driver, strike: Strike) -> Link:
    link = driver.hand(Links).link(strike.target)
    if not link.resolver:
        raise TargetError(
            f"gateways know the address of {strike.target.name} and ask nobody for it",
            hint="holdfast up --set names=platform.internal",
        )
    return link


FAULT = DnsFail()
