"""Gauges that are late, as a router may find them: nothing at all after a start, then the past.

vLLM's queue gauges have been seen at 0 for about 18 s after a cold start, and 3 to 6 s late afterwards (vllm #49538).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

RESOLUTION: Final = 0.1
"""Seconds between two values that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """For how many seconds after the start the gauges stay 0, and by how many they are late afterwards."""

    frozen: float = 0.0
    lag: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a future."""
        if not (self.frozen >= 0 and self.lag >= 0):
            raise ValueError(f"seconds must not be negative: frozen {self.frozen}, lag {self.lag}")


class Late:
    """The values that `read` gave `lag` seconds ago; `now` is seconds of any clock that does not go back."""

    def __init__(self, read: Callable[[], tuple[float, ...]], staleness: Staleness, started: float) -> None:
        self._read = read
        self._lag = staleness.lag
        self._thaw = started + staleness.frozen
        self._zero = tuple(0.0 for _ in read())
        self._past: deque[tuple[float, tuple[float, ...]]] = deque([(started, self._zero)])

    def note(self, now: float) -> None:
        """Remember the values of now; called as often as they may change."""
        if self._lag and now >= self._past[-1][0] + RESOLUTION:
            self._past.append((now, self._read()))
            self._forget(now)

    def values(self, now: float) -> tuple[float, ...]:
        """What a scrape sees."""
        if now < self._thaw:
            return self._zero
        if not self._lag:
            return self._read()
        self.note(now)
        self._forget(now)
        return self._past[0][1]

    def _forget(self, now: float) -> None:
        """Leave as the oldest what was true `lag` seconds ago."""
        while len(self._past) > 1 and self._past[1][0] <= now - self._lag:
            self._past.popleft()
