"""Day and night: a sine from `low` up to `high` and back in every `period`; `diurnal low=0.2 period=24h start=8h`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from holdfast.arrivals.words import WordError, factor, lasting, more_than_zero, setting
from holdfast.units import duration

_CLOSE: Final = 1e-9
"""Seconds: a thousandth of the microsecond that due times are rounded to."""
_MOST_STEPS: Final = 100
"""More than it takes to halve any two bounds until no number lies between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The load begins `start` after the lowest moment; with `high` at one, the profile's rate is that of the peak."""

    low: float = setting(factor)
    high: float = setting(more_than_zero, 1.0)
    period: float = setting(lasting, 86400.0)
    start: float = setting(duration, 0.0)

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise WordError("low must not be more than high")

    def curve(self) -> Shape:
        """Itself: a sine is integrated exactly."""
        return self

    def area(self, time: float) -> float:
        """The integral from 0 to `time`."""
        return self._mean * time - self._swing * (self._sine(time + self.start) - self._sine(self.start))

    def when(self, area: float) -> float:
        """Newton's steps, held between two bounds that close in: the sine is never further than its swing."""
        offset, reach = area - self._swing * self._sine(self.start), self._swing
        left, right = max(0.0, (offset - reach) / self._mean), (offset + reach) / self._mean
        time = (left + right) / 2
        for _ in range(_MOST_STEPS):
            missing = area - self.area(time)
            left, right = (time, right) if missing >= 0 else (left, time)
            rate = self._rate(time)
            newton = time + missing / rate if rate > 0 else math.inf
            if right - left < _CLOSE or abs(newton - time) < _CLOSE / 2:
                break
            time = newton if left < newton < right else (left + right) / 2
        return time

    @property
    def _mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def _swing(self) -> float:
        return (self.high - self.low) / 2 * self.period / math.tau

    def _sine(self, time: float) -> float:
        return math.sin(math.tau * time / self.period)

    def _rate(self, time: float) -> float:
        return self._mean - (self.high - self.low) / 2 * math.cos(math.tau * (time + self.start) / self.period)
