"""`timeout`: nothing comes through, and after `timeout` milliseconds the connection is closed; 0 never closes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.toxics.base import MILLI, Ending, Piece, Stage, Toxic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


class Timeout(Toxic):
    """A black hole. What it swallowed is lost, so a connection that had it is closed when it goes."""

    timeout: int = Field(0, ge=0, description="milliseconds; 0 is for ever")

    def stage(self, random: Random) -> Stage:  # noqa: ARG002 - a toxic may be random
        """Swallows everything."""
        return _Hole(self.timeout * MILLI)


class _Hole(Stage):
    spoilt = True

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def alarm(self, now: float) -> Piece | None:
        """Closed after so long, whether anything came or not."""
        return Piece(now + self._timeout, Ending.CLOSE) if self._timeout else None

    def take(self, data: bytes, now: float) -> Iterable[Piece]:  # noqa: ARG002 - that is the point
        """Lost."""
        return ()

    def end(self, now: float) -> Iterable[Piece]:
        """A sender that leaves is not kept."""
        return (Piece(now, Ending.CLOSE),)


TOXIC = Timeout
