"""`slow_close`: the end of a connection comes `delay` milliseconds late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.toxics.base import MILLI, Ending, Piece, Stage, Toxic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


class SlowClose(Toxic):
    """Bytes pass at once."""

    delay: int = Field(0, ge=0, description="milliseconds")

    def stage(self, random: Random) -> Stage:  # noqa: ARG002 - a toxic may be random
        """Delays the end alone."""
        return _Lingers(self.delay * MILLI)


class _Lingers(Stage):
    def __init__(self, delay: float) -> None:
        self._delay = delay

    def end(self, now: float) -> Iterable[Piece]:
        """Due later."""
        return (Piece(now + self._delay, Ending.EOF),)


TOXIC = SlowClose
