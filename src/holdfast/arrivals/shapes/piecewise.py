"""Any rate over time, by points that are joined by straight lines: `piecewise 0s=0.2 60s=1 60s=3 90s=1`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from holdfast.arrivals.curve import Lines
from holdfast.arrivals.words import WordError, factor, pairs
from holdfast.units import duration

if TYPE_CHECKING:
    from collections.abc import Sequence


def read(words: Sequence[str]) -> Lines:
    """Level before the first and after the last point; the same second twice is a jump. Raises WordError."""
    points = [_point(key, value) for key, value in pairs(words)]
    if not points:
        raise WordError("a piecewise rate needs points", hint="write them as 0s=1 60s=3")
    for (earlier, _), (later, _) in pairwise(points):
        if later < earlier:
            raise WordError("the points must stand in the order of their time")
    return Lines(points)


def _point(key: str, value: str) -> tuple[float, float]:
    try:
        return duration(key), factor(value)
    except ValueError as error:
        raise WordError(str(error), fragment=f"{key}={value}") from error
