"""Evenly spaced: a request every mean gap, the first at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Points at 0, 1, 2 and so on: counted, not summed, because rounding must not add up over an hour."""

    def points(self, random: Random) -> Iterator[float]:  # noqa: ARG002 - nothing about it is random
        """The whole numbers."""
        return map(float, count())
