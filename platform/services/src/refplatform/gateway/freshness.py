"""How old usage is when it reaches Redis: requests that ended at about one time are a heap, and heaps are bounded.

What is late is seen while it waits: a histogram of what has arrived would show the best of outages, namely nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client.core import HistogramMetricFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GRAIN: Final = 0.1
"""Seconds within which requests share a heap, so that an age is at most so much too high."""

MOST: Final = 1000
"""Heaps before the oldest two become one. They are then GRAIN x MOST = 100 s old: beyond the last edge anyway."""

AGES: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

PROMISED: Final = 5.0
"""Seconds after which usage that still waits counts as late; the edge that an SLO is to ask for."""

Heap = tuple[float, int]
"""When its requests ended (seconds of a steady clock), and how many they are."""


class Waiting:
    """The ends of the requests that wait for Redis, oldest first."""

    def __init__(self) -> None:
        self._heaps: list[Heap] = []

    def add(self, ended: float) -> None:
        """A request has ended, not before the last one did."""
        first, count = self._heaps[-1] if self._heaps else (ended, 0)
        if count and ended - first < GRAIN:
            self._heaps[-1] = (first, count + 1)
            return
        self._heaps.append((ended, 1))
        if len(self._heaps) > MOST:
            (one, few), (other, more) = self._heaps[:2]
            self._heaps[:2] = [((one * few + other * more) / (few + more), few + more)]

    def late(self, now: float) -> int:
        """Requests that have waited for longer than promised."""
        return late(self._heaps, now)

    def take(self) -> tuple[Heap, ...]:
        """All of them; none is left."""
        heaps, self._heaps = tuple(self._heaps), []
        return heaps


def late(heaps: Iterable[Heap], now: float) -> int:
    """Requests in the heaps that have waited for longer than promised."""
    return sum(count for ended, count in heaps if now - ended > PROMISED)


class Ages:
    """A Prometheus histogram that takes a whole heap at once, however many requests waited for an outage to end.

    `waiting` gives how many wait and are late: they are in the bucket +Inf already, and stay there when they arrive, so
    no bucket ever falls.
    """

    def __init__(self, name: str, about: str) -> None:
        self.waiting: Callable[[], int] = lambda: 0
        self._name = name
        self._about = about
        self._counts = [0] * (len(AGES) + 1)
        self._sum = 0.0

    def observe(self, age: float, count: int) -> None:
        """So many requests were `age` seconds old."""
        self._counts[bisect_left(AGES, age)] += count
        self._sum += age * count

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What a scrape shows."""
        counts = [*self._counts[:-1], self._counts[-1] + self.waiting()]
        buckets = list(zip([*map(str, AGES), "+Inf"], accumulate(counts), strict=True))
        yield HistogramMetricFamily(self._name, self._about, buckets=buckets, sum_value=self._sum)
