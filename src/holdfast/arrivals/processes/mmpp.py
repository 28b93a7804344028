"""Bursts: Poisson whose rate jumps between two levels at random, as when an editor's users all come at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.arrivals.words import WordError, more_than_zero, setting
from holdfast.units import ratio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A Markov-modulated Poisson process of two states (Fischer and Meier-Hellstern, Performance Evaluation 18, 1993).

    For the fraction `share` of the time the rate is `high` times the mean, else so low that the mean is one; a burst
    lasts `run` mean gaps on average. Both times are exponential. Raises WordError when no low rate is left.
    """

    high: float = setting(more_than_zero)
    share: float = setting(ratio)
    run: float = setting(more_than_zero, 100.0)

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise WordError("share must lie between 0% and 100%")
        if self.run < 1:
            raise WordError(f"run must be at least 1, got {self.run:g}: a burst without a request is none")
        if self.high < 1 or self.high * self.share > 1 + 1e-12:
            hint = f"with this share, high lies between 1 and {1 / self.share:g}"
            raise WordError("high times share must not be more than 100%: more than all requests in bursts", hint=hint)

    @property
    def low(self) -> float:
        """The rate between bursts, in multiples of the mean."""
        return max(0.0, (1 - self.high * self.share) / (1 - self.share))

    def points(self, random: Random) -> Iterator[float]:
        """Poisson points of the state's rate; the first state is one that a passer-by would meet."""
        stays = (self.run * (1 - self.share) / self.share, self.run)
        rates, bursting, end = (self.low, self.high), random.random() >= self.share, 0.0
        while True:
            bursting, now = not bursting, end
            end += random.expovariate(1 / stays[bursting])
            while rates[bursting]:
                now += random.expovariate(rates[bursting])
                if now >= end:
                    break
                yield now
