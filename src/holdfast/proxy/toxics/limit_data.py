"""`limit_data`: after `bytes` bytes in its direction the connection is closed, in the middle of whatever it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.toxics.base import Ending, Piece, Stage, Toxic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


class LimitData(Toxic):
    """Counts each connection by itself, from the moment the toxic is there."""

    bytes: int = Field(0, ge=0, description="bytes that pass")

    def stage(self, random: Random) -> Stage:  # noqa: ARG002 - a toxic may be random
        """Counts."""
        return _Limit(self.bytes)


class _Limit(Stage):
    def __init__(self, limit: int) -> None:
        self._limit, self._passed = limit, 0

    def take(self, data: bytes, now: float) -> Iterable[Piece]:
        """What is left of the limit, then the end."""
        part = data[: max(0, self._limit - self._passed)]
        self._passed += len(part)
        if part:
            yield Piece(now, part)
        if self._passed >= self._limit:
            self.spoilt = True
            yield Piece(now, Ending.CLOSE)

    def follow(self, before: Stage) -> None:
        """What passed before counts under a new limit too."""
        if isinstance(before, _Limit):
            self._passed = before._passed  # noqa: SLF001 - its own kind


TOXIC = LimitData
