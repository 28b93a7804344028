"""`throttle`: what a replica sends leaves through a narrow queue of the kernel: so many kilobits a second, and no more.

The loopback device has no queue of its own. While this fault lasts it has one, through which only the replica's answers
must go; everybody else's packets pass beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from holdfast.faults.ways import nft, queue
from holdfast.faults.ways.packets import AddressFault, Where, struck
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Network

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class _Options(Where):
    kbit: int = Field(default=1000, ge=8, le=1_000_000, description="Kilobits (1000 bits) a second, headers and all.")


class Throttle(AddressFault):
    """Seen to bite when packets are found waiting: a replica that says less than it may is not slowed down."""

    title: ClassVar = "behind a narrow queue"
    needs: ClassVar[tuple[str, ...]] = (*AddressFault.needs, "tc")
    hook: ClassVar[str] = nft.LEAVING
    Options: ClassVar = _Options
    words: ClassVar = Words(
        apply="send what comes from the address of {target} through a queue of {kbit} kbit/s (HTB)",
        bites="packets that it sent wait in that queue",
        undo="delete that queue and its rule; without it the kernel sends nothing there when the lease ends",
        gone="no such queue and no such rule, and a replica of that name is ready",
    )

    def rules(self, options: Any, strike: Strike) -> tuple[str, ...]:  # noqa: ARG002 - how fast is the queue's
        """A packet's priority names its class."""
        return (f"{nft.FROM} meta priority set {queue.name(strike)}",)

    def commands(self, driver: Driver, strike: Strike) -> tuple[str, ...]:
        """The queue, then the rule that leads there."""
        kbit = self.read(strike.options).kbit
        made = queue.words(driver.hand(Network).device(strike.target), strike, kbit)
        return (*map(" ".join, made), *super().commands(driver, strike))

    def apply(self, driver: Driver, strike: Strike) -> None:
        """First the queue, into which nothing leads yet."""
        self.addresses(driver, strike)  # refused before anything is made
        queue.make(driver, strike, self.read(strike.options).kbit)
        super().apply(driver, strike)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """The kernel has led its packets there, and some wait. One that waited for moments is not slow."""
        passed, (element,) = queue.seen(driver, strike), self.elements(driver, strike)
        if passed is None or element.key not in {one.key for one in struck(driver, strike) if one.packets}:
            return Sight(False, "none of its packets goes through a queue")
        return Sight(passed.waiting > 0, f"{passed.packets} packets passed, {passed.waiting} bytes wait now")

    def undo(self, driver: Driver, strike: Strike) -> None:
        """First the rule."""
        super().undo(driver, strike)
        queue.scrap(driver, strike)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """Neither is there."""
        if queue.seen(driver, strike) is not None:
            return Sight(False, f"the queue {queue.name(strike)} is still there")
        return super().gone(driver, strike)


FAULT = Throttle()
