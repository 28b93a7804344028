"""The same rate all the time."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.arrivals.curve import Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One."""

    def curve(self) -> Lines:
        """A level line."""
        return Lines([(0.0, 1.0)])
