"""`drop_percent`: some of a replica's packets are lost by chance, each way; TCP sends them again, later and later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from holdfast.faults.ways import nft
from holdfast.faults.ways.packets import GONE, KNOCK, UNDO, AddressFault, Where, struck
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Network

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_KNOCKS: Final = 40
"""At 5 percent each way all of them are answered at once in one look of sixty: 0.95 ** 80 = 0.017."""


class _Options(Where):
    percent: int = Field(default=30, ge=5, le=95, description="Of all packets each way; a whole number.")


class DropPercent(AddressFault):
    """Seen to bite when, of many attempts to connect at once, some are late."""

    title: ClassVar = "losing packets"
    Options: ClassVar = _Options
    words: ClassVar = Words(
        apply="drop {percent} percent of the packets to and from the address of {target}, by chance",
        bites="of 40 attempts to connect at once some are not answered in time, and the kernel counts packets dropped",
        undo=UNDO,
        gone=GONE,
    )

    def rules(self, options: Any, strike: Strike) -> tuple[str, ...]:  # noqa: ARG002 - the same for every strike
        """Chance first, so that the set counts what is dropped and nothing else."""
        chance = f"numgen random mod 100 < {options.percent}"
        return (f"{chance} {nft.TOWARDS} drop", f"{chance} {nft.FROM} drop")

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Some are late, and none is refused."""
        network = driver.hand(Network)
        answers = [said for one in self.addresses(driver, strike) for said in network.knock(one, KNOCK, _KNOCKS)]
        met = sum(one.packets for one in struck(driver, strike))
        late = answers.count("silent")
        return Sight(
            met > 0 and late > 0 and set(answers) <= {"silent", "open"},
            f"{late} of {len(answers)} knocks are late; {met} packets dropped",
        )


FAULT = DropPercent()
