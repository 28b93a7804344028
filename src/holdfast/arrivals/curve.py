"""A rate over time in multiples of one: its integral, and the inverse of it that turns even time into real time."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class Curve(Protocol):
    """A rate over time, never negative; time in seconds from the start."""

    def area(self, time: float) -> float:
        """The integral of the rate from 0 to `time`."""
        ...

    def when(self, area: float) -> float:
        """The last moment at which the integral is still `area`; inf when it never grows beyond.

        The last and not the first: while the rate is zero nothing arrives, so what is due is due when it rises again.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Piece:
    start: float
    area: float
    rate: float
    slope: float
    length: float

    def grown(self, time: float) -> float:
        return self.rate * time + self.slope * time * time / 2

    def when(self, area: float) -> float:
        if area <= 0:
            return 0.0 if self.rate or self.slope else self.length
        # Solved without the difference of two nearly equal numbers.
        below = self.rate + math.sqrt(max(0.0, self.rate * self.rate + 2 * self.slope * area))
        return min(2 * area / below, self.length) if below else self.length


class Lines:
    """A rate that is straight between points (second, multiple) and stays as the last one; equal seconds are a jump."""

    def __init__(self, points: Iterable[tuple[float, float]]) -> None:
        self._pieces = tuple(_pieces(tuple(points)))
        self._starts = [piece.start for piece in self._pieces]
        self._areas = [piece.area for piece in self._pieces]

    def area(self, time: float) -> float:
        """The integral from 0 to `time`."""
        piece = self._pieces[bisect_right(self._starts, time) - 1]
        return piece.area + piece.grown(time - piece.start)

    def when(self, area: float) -> float:
        """The last moment with this integral."""
        piece = self._pieces[bisect_right(self._areas, area) - 1]
        return piece.start + piece.when(area - piece.area)


def _pieces(points: tuple[tuple[float, float], ...]) -> Iterable[_Piece]:
    area = 0.0
    ends = [*points[1:], (math.inf, points[-1][1])]
    if points[0][0] > 0:
        points, ends = ((0.0, points[0][1]), *points), [points[0], *ends]
    for (start, rate), (end, after) in zip(points, ends, strict=True):
        length = end - start
        if length <= 0:
            continue
        slope = (after - rate) / length if after != rate else 0.0
        yield _Piece(start, area, rate, slope, length)
        area += (rate + after) / 2 * length if math.isfinite(length) else 0.0
