"""A rate that jumps once, and stays: `step to=3 at=30s`."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.arrivals.curve import Lines
from holdfast.arrivals.words import factor, lasting, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`from` until second `at`, `to` from there on."""

    from_: float = setting(factor, 1.0)
    to: float = setting(factor)
    at: float = setting(lasting)

    def curve(self) -> Lines:
        """Two level lines."""
        return Lines([(0.0, self.from_), (self.at, self.from_), (self.at, self.to)])
