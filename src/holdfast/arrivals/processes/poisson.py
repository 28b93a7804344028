"""Many who do not know of each other: gaps are exponential, and their coefficient of variation is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The Poisson process of rate one."""

    def points(self, random: Random) -> Iterator[float]:
        """Sums of exponential gaps."""
        now = random.expovariate(1.0)
        while True:
            yield now
            now += random.expovariate(1.0)
