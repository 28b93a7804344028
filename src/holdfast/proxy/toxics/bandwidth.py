"""`bandwidth`: at most `rate` kilobytes a second on each connection; 0 lets nothing through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from holdfast.proxy.toxics.base import KILOBYTE, NEVER, Piece, Stage, Toxic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

_SLICE: Final = 0.1
"""Seconds of sending that go in one piece at most."""


class Bandwidth(Toxic):
    """Each byte takes its time on the wire, and nothing is saved up while nothing is sent."""

    rate: int = Field(0, ge=0, description="kilobytes a second, of 1000 bytes")

    def stage(self, random: Random) -> Stage:  # noqa: ARG002 - a toxic may be random
        """Its own wire for each connection."""
        return _Wire(self.rate * KILOBYTE)


class _Wire(Stage):
    def __init__(self, rate: float) -> None:
        self._rate, self._free = rate, 0.0

    def take(self, data: bytes, now: float) -> Iterable[Piece]:
        """Slices, each due when its last byte would have arrived."""
        if not self._rate:
            yield Piece(NEVER, data)
            return
        size = max(1, int(self._rate * _SLICE))
        for start in range(0, len(data), size):
            part = data[start : start + size]
            self._free = max(self._free, now) + len(part) / self._rate
            yield Piece(self._free, part)


TOXIC = Bandwidth
