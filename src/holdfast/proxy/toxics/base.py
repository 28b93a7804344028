"""What a toxic is: settings, and for each connection a stage that says which bytes go on, and when. No IO, no clock.

Times are seconds of the proxy's steady clock. Attributes bear Toxiproxy's names and units; one that is misspelt is
refused, for a fault that does nothing is worse than none.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

NEVER: Final = math.inf
MILLI: Final = 1e-3
MICRO: Final = 1e-6
KILOBYTE: Final = 1000


class Ending(Enum):
    """How a direction, or a connection, ends."""

    EOF = "one side has no more to say"
    CLOSE = "both sides are closed"
    RESET = "both sides are reset"


class Piece(NamedTuple):
    """What goes on, and not before when. Pieces keep their order: one that is due waits for those before it."""

    due: float
    what: bytes | Ending


class Stage:
    """One toxic on one direction of one connection. This one changes nothing."""

    room: int = 2**16
    """Bytes that may wait here before the sender is held back."""
    spoilt: bool = False
    """Whether bytes were lost here: without this stage the connection can only be closed."""

    def alarm(self, now: float) -> Piece | None:
        """What comes by itself, whatever passes; None when nothing does."""

    def take(self, data: bytes, now: float) -> Iterable[Piece]:
        """Bytes came."""
        return (Piece(now, data),)

    def end(self, now: float) -> Iterable[Piece]:
        """The sender has no more to say."""
        return (Piece(now, Ending.EOF),)

    def rest(self) -> bytes:
        """What it has taken and not passed on, when it goes."""
        return b""

    def follow(self, before: Stage) -> None:
        """Take over what an earlier stage of the same toxic counted, when its settings change."""


class Toxic(BaseModel):
    """A toxic's attributes."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    passive: ClassVar[bool] = False
    """Whether it lets pass what passes, and changes how a connection comes to be."""

    def stage(self, random: Random) -> Stage:  # noqa: ARG002 - a toxic may be random
        """A stage for one direction of one connection."""
        return Stage()
