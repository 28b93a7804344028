"""Faults that come as load: clients in a process of their own, with the key of a tenant, towards the shared address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from holdfast.faults import base
from holdfast.faults.ways.recovered import ready_again
from holdfast.load import rogue
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Tenants

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

MOST_A_SECOND = 500.0


class Options(base.Options):
    """Who comes."""

    tenant: str = Field("neighbour", min_length=1, description="whose key the clients send; not that of the load")
    model: str = Field("sim", min_length=1, description="the model that they ask for")


class Often(Options):
    """Who comes, and how often."""

    rate: float = Field(20.0, gt=0, le=MOST_A_SECOND, description="new clients a second")


class CrowdFault(base.Fault):
    """Seen to bite by what the platform answered them; gone when their process is, and with it every connection."""

    family: ClassVar = "load"
    shared: ClassVar = True
    gone_within: ClassVar = 15.0
    manner: ClassVar[str]
    """A function of `load.rogue.manners`."""
    proof: ClassVar[tuple[str, ...]]
    """Counts of which one at least must have risen: what the platform gave them."""

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Let them come. Raises TargetError when the tenant has no key."""
        options = self.read(strike.options).model_dump()
        key = driver.hand(Tenants).key(options.pop("tenant"))
        url = driver.endpoints().gateway
        rogue.start(
            rogue.Crowd(name=strike.id, manner=self.manner, url=url, key=key, lease=strike.lease, options=options)
        )

    def bites(self, driver: Driver, strike: Strike) -> Sight:  # noqa: ARG002 - who is here knows its own platform
        """They are here, and the platform has given them something."""
        counts = rogue.tell(strike.id)
        if counts is None:
            return Sight(False, "no such clients")
        return Sight(any(counts.get(name, 0) > 0 for name in self.proof), _told(counts))

    def renew(self, driver: Driver, strike: Strike) -> None:  # noqa: ARG002 - as above
        """They may stay for another lease; who has left does not come back."""
        rogue.tell(strike.id, f"renew {strike.lease}")

    def undo(self, driver: Driver, strike: Strike) -> None:  # noqa: ARG002 - as above
        """Send them away."""
        rogue.tell(strike.id, "end")

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """Their process has ended."""
        counts = rogue.tell(strike.id)
        return ready_again(driver, strike.target) if counts is None else Sight(False, f"still here: {_told(counts)}")


def saying(apply: str, bites: str) -> Words:
    """The four parts in words, of which two are the same for all."""
    gone = "no process answers to its name, so the kernel has closed its connections; a replica of that name is ready"
    return Words(apply=apply, bites=bites, undo="tell their process to end", gone=gone)


def _told(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count) or "nothing yet"
