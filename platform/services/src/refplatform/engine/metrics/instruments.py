"""Counters, gauges and histograms that take many observations at once, and give what prometheus_client prints.

prometheus_client's own take a lock and walk the edges for each single observation; a step of a thousand streams is a
thousand equal gaps, which are one addition here. One event loop writes and reads, so there is no lock.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from refplatform.engine.metrics.catalogue import Family


def _edge(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


class Counter:
    """A sum that only grows."""

    __slots__ = ("_created", "_labels", "total")

    def __init__(self, labels: dict[str, str], created: float) -> None:
        self.total = 0.0
        self._labels = labels
        self._created = created

    def add(self, amount: float = 1.0) -> None:
        """Count so many more."""
        self.total += amount

    def rows(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Suffix, labels and value of each line."""
        yield "_total", self._labels, self.total
        yield "_created", self._labels, self._created


class Gauge:
    """A value that somebody sets, or that is read when it is scraped."""

    __slots__ = ("_labels", "read")

    def __init__(self, labels: dict[str, str], _created: float) -> None:
        self._labels = labels
        self.read: Callable[[], float] = lambda: 0.0

    def set(self, value: float) -> None:
        """Keep this value until it is set again."""
        self.read = lambda: value

    def rows(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Suffix, labels and value of each line."""
        yield "", self._labels, self.read()


class Summary:
    """A count and a sum, as prometheus_client's Summary has no quantiles."""

    __slots__ = ("_created", "_labels", "count", "sum")

    def __init__(self, labels: dict[str, str], created: float) -> None:
        self.count = self.sum = 0.0
        self._labels = labels
        self._created = created

    def observe(self, value: float) -> None:
        """Take one observation."""
        self.count += 1
        self.sum += value

    def rows(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Suffix, labels and value of each line."""
        yield "_count", self._labels, self.count
        yield "_sum", self._labels, self.sum
        yield "_created", self._labels, self._created


class Histogram:
    """Observations counted by the first edge that is not below them; `edges` are without +Inf."""

    __slots__ = ("_bounds", "_counts", "_created", "_edges", "_labels", "sum")

    def __init__(self, labels: dict[str, str], created: float, edges: Sequence[float]) -> None:
        self._edges = [float(edge) for edge in edges]
        self._bounds = [labels | {"le": _edge(edge)} for edge in (*self._edges, float("inf"))]
        self._counts = [0] * len(self._bounds)
        self._labels = labels
        self._created = created
        self.sum = 0.0

    @property
    def count(self) -> int:
        """Observations so far."""
        return sum(self._counts)

    def observe(self, value: float, times: int = 1) -> None:
        """Take the same observation so many times."""
        self._counts[bisect_left(self._edges, value)] += times
        self.sum += value * times

    def rows(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Suffix, labels and value of each line; buckets are cumulative."""
        total = 0
        for labels, count in zip(self._bounds, self._counts, strict=True):
            total += count
            yield "_bucket", labels, float(total)
        yield "_count", self._labels, float(total)
        yield "_sum", self._labels, self.sum
        yield "_created", self._labels, self._created


Instrument = Counter | Gauge | Summary | Histogram
KINDS: Final[dict[str, type[Counter | Gauge | Summary]]] = {"counter": Counter, "gauge": Gauge, "summary": Summary}


class Table:
    """One family and its series, in the order in which they were first asked for."""

    def __init__(self, family: Family, edges: Sequence[float], wall: Callable[[], float]) -> None:
        self.family = family
        self._edges = edges
        self._wall = wall
        self._base = family.name.removesuffix("_total") if family.type == "counter" else family.name
        self._series: dict[tuple[str, ...], Instrument] = {}

    def series(self, **labels: str) -> Instrument:
        """The series with these labels, made when it is new. Raises KeyError for a missing label."""
        key = tuple(labels[name] for name in self.family.labels)
        found = self._series.get(key)
        if found is None:
            named = dict(zip(self.family.labels, key, strict=True))
            if self.family.type == "histogram":
                found = Histogram(named, self._wall(), self._edges)
            else:
                found = KINDS[self.family.type](named, self._wall())
            self._series[key] = found
        return found

    def collect(self) -> Metric:
        """The family as prometheus_client prints it."""
        metric = Metric(self._base, self.family.help, self.family.type)
        for series in self._series.values():
            for suffix, labels, value in series.rows():
                metric.add_sample(self._base + suffix, labels, value)
        return metric


class Tables:
    """A collector for prometheus_client's registry; `tables` may grow meanwhile."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = tables

    def describe(self) -> list[Metric]:
        """Nothing: the catalogue names no family twice."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, also one that has no series yet."""
        return (table.collect() for table in self._tables)
