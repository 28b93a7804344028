"""Arrivals: points of mean rate one, moved to where the integrated rate over time reaches them.

The time-rescaling theorem backwards (Brown, Barbieri, Ventura, Kass and Frank, Neural Computation 14(2), 2002): if the
points are Poisson with rate one, what comes out is Poisson with the rate of the curve. For other processes the rate
is still the curve's, and gaps keep their relative irregularity wherever the rate changes slowly.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.arrivals.curve import Curve
    from holdfast.arrivals.processes import Process

MICROSECONDS: Final = 6
"""Digits after the point of a due time."""


def due_times(process: Process, curve: Curve, *, rate: float, seed: int, length: float) -> Iterator[float]:
    """Seconds at which requests are due, in order, all before `length`, by the microsecond.

    `rate` is requests per second where the curve is one. A function of its arguments alone; a longer run begins with
    the same times.
    """
    for point in process.points(Random(f"{seed}/arrivals")):
        due = curve.when(point / rate)
        stamp = round(due, MICROSECONDS)
        if due >= length or stamp >= length:
            return
        yield stamp


def chance(seed: int, use: str, number: int) -> float:
    """A number in [0, 1) that belongs to this seed, use and number, whatever else is drawn."""
    digest = blake2b(f"{seed}/{use}/{number}".encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56
