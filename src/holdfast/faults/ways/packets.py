"""What faults of the packet filter share: a table that the kernel lets go of by itself, and what it has struck."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from holdfast.errors import TargetError
from holdfast.faults.base import NET_ADMIN, Fault, Options
from holdfast.faults.ways import nft
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight
from holdfast.model.hands import Network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from holdfast.model.fault import Strike
    from holdfast.model.hands import Address
    from holdfast.model.platform import Driver

KNOCK: Final = 0.4
"""Seconds in which a loopback's kernel answers a knock; the first packet is sent again only after one."""
UNDO: Final = "delete that table; without it the kernel lets go of {target} by itself when the lease ends"
GONE: Final = "no such table, and a replica of that name is ready"


class PacketFault(Fault):
    """One table a strike. A subclass says the rules, what they strike, and by which effect that is seen."""

    family: ClassVar = "network"
    needs: ClassVar[tuple[str, ...]] = ("root", NET_ADMIN, "nft")
    hook: ClassVar[str] = nft.ARRIVING

    @abstractmethod
    def rules(self, options: Any, strike: Strike) -> tuple[str, ...]:
        """What happens to packets of `@struck`."""

    @abstractmethod
    def elements(self, driver: Driver, strike: Strike) -> tuple[nft.Element, ...]:
        """Whom to strike. Raises TargetError when there is nobody, or it cannot be told from others."""

    def script(self, elements: Sequence[nft.Element], strike: Strike) -> str:
        """The table as text."""
        return nft.script(
            strike.id, elements, strike.lease, self.rules(self.read(strike.options), strike), hook=self.hook
        )

    def commands(self, driver: Driver, strike: Strike) -> tuple[str, ...]:
        """One call of nft, with its input."""
        return (f"{' '.join(nft.FILTER)} <<'END'\n{self.script(self.elements(driver, strike), strike)}END",)

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Hand the table to the kernel, which takes the whole of it or nothing."""
        if not driver.alive(strike.target):
            raise TargetError(f"{strike.target.name} {strike.target.unit} no longer exists")
        script = self.script(self.elements(driver, strike), strike)
        driver.hand(Network).command(strike.target, nft.FILTER, script)

    def renew(self, driver: Driver, strike: Strike) -> None:
        """Put off the end of what has not ended yet."""
        if left := struck(driver, strike):
            driver.hand(Network).command(strike.target, nft.FILTER, nft.longer(strike.id, left, strike.lease))

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Delete the table."""
        driver.hand(Network).command(strike.target, nft.FILTER, nft.scrap(strike.id))

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """No table, and the replica serves."""
        if is_there(driver, strike):
            return Sight(False, f"the table {nft.table(strike.id)} is still there")
        return ready_again(driver, strike.target)


class Where(Options):
    """Which of a replica's addresses."""

    at: Literal["own", "way"] = Field(
        default="own",
        description="own: where it listens itself, for everybody. way: where its clients come to it through the fault "
        "proxy, so that monitoring still reaches it.",
    )


class AddressFault(PacketFault):
    """Strikes all that passes an address of one replica, live connections and new ones."""

    Options: ClassVar[type[Options]] = Where

    def addresses(self, driver: Driver, strike: Strike) -> tuple[Address, ...]:
        """Those that the options mean."""
        network = driver.hand(Network)
        own = self.read(strike.options).at == "own"
        return network.addresses(strike.target) if own else network.ways(strike.target)

    def elements(self, driver: Driver, strike: Strike) -> tuple[nft.Element, ...]:
        """One for each address."""
        return tuple(nft.Element(key=(one,), unit=strike.target.unit) for one in self.addresses(driver, strike))

    def knocked(self, driver: Driver, strike: Strike, answer: str) -> Sight:
        """Whether every knock brings `answer`, while the kernel says that this strike met packets.

        All that it met count, whoever's they were: a bystander whose knocks bring the same was hit by this strike too.
        """
        network = driver.hand(Network)
        answers = {one: network.knock(one, KNOCK)[0] for one in self.addresses(driver, strike)}
        met = sum(one.packets for one in struck(driver, strike))
        told = ", ".join(f"a knock at port {one.port} is {said}" for one, said in answers.items())
        return Sight(met > 0 and set(answers.values()) == {answer}, f"{told}; {met} packets met")

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """Besides, a knock there is answered. An address that may not be struck never was."""
        network, sight = driver.hand(Network), super().gone(driver, strike)
        with contextlib.suppress(TargetError):
            shut = [one.port for one in self.addresses(driver, strike) if network.knock(one, KNOCK)[0] != "open"]
            return Sight(False, f"a knock at port {shut[0]} is not answered") if sight.seen and shut else sight
        return sight


class ConnectionFault(PacketFault):
    """Strikes the connections that live now, also on an address that several replicas share; new ones pass."""

    def elements(self, driver: Driver, strike: Strike) -> tuple[nft.Element, ...]:
        """Those that this very incarnation accepted."""
        live = driver.hand(Network).connections(strike.target)
        if not live:
            raise TargetError(f"{strike.target.name} has no live connection", hint="strike it under load")
        return tuple(nft.Element(key=(one.near, one.far), unit=strike.target.unit) for one in live)


def is_there(driver: Driver, strike: Strike) -> bool:
    """Whether the strike's table is there, with or without anything in it."""
    return nft.is_there(driver.hand(Network).command(strike.target, nft.TABLES), strike.id)


def struck(driver: Driver, strike: Strike) -> tuple[nft.Element, ...]:
    """What is struck now: nothing after the lease has ended."""
    if not is_there(driver, strike):
        return ()
    return nft.struck(driver.hand(Network).command(strike.target, nft.listing(strike.id)))
