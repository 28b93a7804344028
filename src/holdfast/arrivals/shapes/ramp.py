"""A rate that grows, or falls, straight from one level to another, and stays there: `ramp from=0.1 to=1 over=60s`."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.arrivals.curve import Lines
from holdfast.arrivals.words import factor, lasting, setting
from holdfast.units import duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`from` until second `at`, then on the way to `to` for `over` seconds."""

    from_: float = setting(factor, 0.0)
    to: float = setting(factor, 1.0)
    over: float = setting(lasting)
    at: float = setting(duration, 0.0)

    def curve(self) -> Lines:
        """Level, sloping, level."""
        return Lines([(0.0, self.from_), (self.at, self.from_), (self.at + self.over, self.to)])
