"""A rate that jumps and comes back: `spike to=5 at=30s for=10s`."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.arrivals.curve import Lines
from holdfast.arrivals.words import factor, lasting, setting
from holdfast.units import duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`from`, but `to` for `for` seconds from second `at` on."""

    from_: float = setting(factor, 1.0)
    to: float = setting(factor)
    at: float = setting(duration)
    for_: float = setting(lasting)

    def curve(self) -> Lines:
        """Three level lines."""
        end = self.at + self.for_
        return Lines([(0.0, self.from_), (self.at, self.from_), (self.at, self.to), (end, self.to), (end, self.from_)])
