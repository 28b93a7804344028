"""`one_way`: one direction of a replica's traffic is lost: it hears and is not heard, or is heard and does not hear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.faults.ways import nft
from holdfast.faults.ways.packets import GONE, UNDO, AddressFault, Where
from holdfast.model.fault import Words

if TYPE_CHECKING:
    from holdfast.model.fault import Sight, Strike
    from holdfast.model.platform import Driver


class _Options(Where):
    lost: Literal["requests", "answers"] = Field(
        default="answers",
        description="requests: what clients send is lost. answers: what it sends is lost, and it works for nobody.",
    )


class OneWay(AddressFault):
    """Seen to bite when nobody who tries to connect gets an answer: half a way is no way for a handshake."""

    title: ClassVar = "cut off in one direction"
    Options: ClassVar = _Options
    words: ClassVar = Words(
        apply="drop the packets that carry {lost} of {target}, and let the other direction pass",
        bites="an attempt to connect there is neither answered nor refused, and the kernel counts packets dropped",
        undo=UNDO,
        gone=GONE,
    )

    def rules(self, options: Any, strike: Strike) -> tuple[str, ...]:  # noqa: ARG002 - the same for every strike
        """One way."""
        return (f"{nft.TOWARDS if options.lost == 'requests' else nft.FROM} drop",)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Silence."""
        return self.knocked(driver, strike, "silent")


FAULT = OneWay()
