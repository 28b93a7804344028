"""`reset_peer`: `timeout` milliseconds after the first byte, or the end, both sides get a TCP reset; no byte passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.toxics.base import MILLI, Ending, Piece, Stage, Toxic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


class ResetPeer(Toxic):
    """A connection on which nobody speaks is left alone."""

    timeout: int = Field(0, ge=0, description="milliseconds")

    def stage(self, random: Random) -> Stage:  # noqa: ARG002 - a toxic may be random
        """Resets once something moves."""
        return _Tears(self.timeout * MILLI)


class _Tears(Stage):
    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def take(self, data: bytes, now: float) -> Iterable[Piece]:  # noqa: ARG002 - they are not passed on
        """Lost, and then the reset."""
        return self.end(now)

    def end(self, now: float) -> Iterable[Piece]:
        """The reset, once."""
        if not self.spoilt:
            self.spoilt = True
            yield Piece(now + self._timeout, Ending.RESET)


TOXIC = ResetPeer
