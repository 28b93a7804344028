"""Gaps of any irregularity: gamma distributed; a coefficient of variation of 1 is Poisson, of 0.1 nearly even."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.arrivals.words import WordError, more_than_zero, setting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

LEAST: Final = 0.01
MOST: Final = 100.0
"""Below, requests are as good as even; above, all of a run come at one moment, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A gamma renewal process of shape 1 / cv ** 2, which other tools call burstiness or smoothness.

    It begins in mid-gap (the gap that a passer-by meets is longer than most, and he meets any part of it alike), so
    that the rate is right from the start: begun with a point, it would offer (cv ** 2 - 1) / 2 requests too many (Cox,
    "Renewal Theory", 1962, sections 4.2 and 5.4).
    """

    cv: float = setting(more_than_zero)

    def __post_init__(self) -> None:
        if not LEAST <= self.cv <= MOST:
            raise WordError(f"cv must lie between {LEAST:g} and {MOST:g}, got {self.cv:g}")

    def points(self, random: Random) -> Iterator[float]:
        """Sums of gamma gaps."""
        shape, scale = 1 / self.cv**2, self.cv**2
        now = random.random() * random.gammavariate(shape + 1, scale)
        while True:
            yield now
            now += random.gammavariate(shape, scale)
