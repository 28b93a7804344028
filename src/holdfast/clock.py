"""Time as an argument: one monotonic clock for intervals, one wall anchor to meet other systems' timestamps."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """What a run needs of time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; shared by all processes of one machine on Linux."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC, in seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """CLOCK_REALTIME, in seconds."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(max(0.0, seconds))


@dataclass
class VirtualClock:
    """A clock that moves only when somebody sleeps: a ten-minute scenario passes in milliseconds."""

    now: float = 1000.0
    epoch: float = 1_700_000_000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self.now

    def wall(self) -> float:
        """The epoch plus virtual seconds."""
        return self.epoch + self.now

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.slept.append(seconds)
        self.now += max(0.0, seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The one point where a run's time zero is tied to both clocks."""

    monotonic: float
    wall: float

    def to_wall(self, t: float) -> float:
        """Unix seconds of the run's second `t`."""
        return self.wall + t

    def from_wall(self, wall: float) -> float:
        """The run's second of a unix timestamp."""
        return wall - self.wall
