"""`latency`: everything comes later, by `latency` ± `jitter` milliseconds; the order stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.toxics.base import MILLI, Piece, Stage, Toxic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


class Latency(Toxic):
    """Delays each piece from the moment it came."""

    latency: int = Field(0, ge=0, description="milliseconds")
    jitter: int = Field(0, ge=0, description="milliseconds, up or down, drawn evenly for each piece")

    def stage(self, random: Random) -> Stage:
        """Each piece has a delay of its own."""
        return _Late(self.latency * MILLI, self.jitter * MILLI, random)


class _Late(Stage):
    room = 2**22  # what a fast link holds while it is late

    def __init__(self, latency: float, jitter: float, random: Random) -> None:
        self._latency, self._jitter, self._random = latency, jitter, random

    def take(self, data: bytes, now: float) -> Iterable[Piece]:
        """Due that much later."""
        return (Piece(now + self._latency + self._random.uniform(-self._jitter, self._jitter), data),)


TOXIC = Latency
