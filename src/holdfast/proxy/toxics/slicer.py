"""`slicer`: bytes come in small pieces of `average_size` ± `size_variation`, with `delay` microseconds after each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from holdfast.proxy.toxics.base import MICRO, Piece, Stage, Toxic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


class Slicer(Toxic):
    """Nothing is lost; without a delay the receiver's kernel may glue pieces together again."""

    average_size: int = Field(ge=1, description="bytes")
    size_variation: int = Field(0, ge=0, description="bytes, up or down; less than the average")
    delay: int = Field(0, ge=0, description="microseconds after each piece")

    @model_validator(mode="after")
    def _leaves_something(self) -> Slicer:
        if self.size_variation >= self.average_size:
            raise ValueError("size_variation must be less than average_size")
        return self

    def stage(self, random: Random) -> Stage:
        """Cuts at random places."""
        return _Slices(self.average_size, self.size_variation, self.delay * MICRO, random)


class _Slices(Stage):
    def __init__(self, size: int, variation: int, delay: float, random: Random) -> None:
        self._size, self._variation, self._delay, self._random = size, variation, delay, random
        self._free = 0.0

    def take(self, data: bytes, now: float) -> Iterable[Piece]:
        """Each piece due after the one before it, and the delay."""
        at = 0
        while at < len(data):
            size = self._size + self._random.randint(-self._variation, self._variation)
            due = max(self._free, now)
            yield Piece(due, data[at : at + size])
            self._free, at = due + self._delay, at + size


TOXIC = Slicer
