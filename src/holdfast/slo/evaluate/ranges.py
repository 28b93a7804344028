"""Functions of a range of samples, as Prometheus defines them, for many ranges of one series at once.

Extrapolation: Prometheus, promql/functions.go. Sums are differences of one running sum, so that thirty days cost no
more than five minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from holdfast.slo.evaluate.vectors import Mask, Numbers, Track


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Windows of one series: samples `first` to `last`, both inclusive, of those between `start` and `end` (ms).

    There is at least one sample in each. `as_of_3`: counters' zero is looked at after the edges, as since Prometheus 3.
    """

    track: Track
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    as_of_3: bool

    @property
    def values(self) -> Numbers:
        """The series' samples."""
        return self.track.values

    @property
    def count(self) -> Numbers:
        """Samples in each window."""
        return (self.last - self.first + 1).astype(np.float64)


Result: TypeAlias = "tuple[Numbers, Mask | bool]"
Function: TypeAlias = Callable[[Ranges], Result]


@dataclass(frozen=True, slots=True, eq=False)
class _Running:
    """Sums of the first 0, 1, 2... values, those that are finite; and how many were which that are not."""

    sums: NDArray[np.longdouble]
    odd: tuple[tuple[float, NDArray[np.longdouble]], ...]

    @classmethod
    def of(cls, values: Numbers) -> _Running:
        """Of all values."""
        odd = [(np.nan, np.isnan(values)), (np.inf, values == np.inf), (-np.inf, values == -np.inf)]
        finite = np.where(np.isfinite(values), values, 0.0)
        return cls(_cumulated(finite), tuple((value, _cumulated(where)) for value, where in odd if where.any()))

    def between(self, first: NDArray[np.intp], after: NDArray[np.intp]) -> Numbers:
        """Sum of values[first:after]; what is not finite spoils only the windows that it is in."""
        found = np.asarray(self.sums[after] - self.sums[first], dtype=np.float64)
        for value, seen in self.odd:
            found = found + np.where(seen[after] > seen[first], value, 0.0)
        return found


def _cumulated(values: Numbers | Mask) -> NDArray[np.longdouble]:
    # A running sum over a month is long: more digits than its differences need keep those exact.
    return np.concatenate(([np.longdouble(0)], np.cumsum(values, dtype=np.longdouble)))


def _sums(ranges: Ranges) -> Numbers:
    return ranges.track.kept("sums", lambda: _Running.of(ranges.values)).between(ranges.first, ranges.last + 1)


def _lost(values: Numbers) -> _Running | None:
    """What a counter's resets took away between one sample and the next; None where there was no reset."""
    lost = np.where(values[1:] < values[:-1], values[:-1], 0.0)
    return _Running.of(lost) if lost.any() else None


def _extrapolated(ranges: Ranges, *, counter: bool, per_second: bool) -> Result:
    values, first, last = ranges.values, ranges.first, ranges.last
    change = values[last] - values[first]
    lost = ranges.track.kept("lost", lambda: _lost(values)) if counter else None
    if lost is not None:
        change = change + lost.between(first, last)
    moments, several = ranges.track.moments(), last > first
    sampled = np.where(several, moments[last] - moments[first], 1) / 1000
    before = (moments[first] - ranges.start) / 1000
    after = (ranges.end - moments[last]) / 1000
    average = sampled / np.maximum(last - first, 1)
    limit = average * 1.1
    with np.errstate(divide="ignore", invalid="ignore"):
        to_zero = np.where((change > 0) & (values[first] >= 0), sampled * (values[first] / change), np.inf)
    if ranges.as_of_3:
        before = np.where(before < limit, before, average / 2)
    before = np.fmin(before, to_zero) if counter else before
    before = np.where(before < limit, before, average / 2)
    after = np.where(after < limit, after, average / 2)
    factor = (sampled + before + after) / sampled
    length = (ranges.end - ranges.start) / 1000 if per_second else 1.0
    return change * (factor / length), several


def _irate(ranges: Ranges) -> Result:
    several = ranges.last > ranges.first
    previous = np.where(several, ranges.last - 1, ranges.last)
    now, then = ranges.values[ranges.last], ranges.values[previous]
    moments = ranges.track.moments()
    seconds = np.where(several, moments[ranges.last] - moments[previous], 1) / 1000
    return np.where(now < then, now, now - then) / seconds, several


def _extreme(pick: Callable[[Numbers, Numbers], Numbers]) -> Function:
    def function(ranges: Ranges) -> Result:
        """By doubling: two overlapping powers of two cover each window. NaN gives way to any number."""
        level = np.floor(np.log2(ranges.count)).astype(np.intp)
        found, row = np.empty(len(level)), ranges.values
        for power in range(int(level.max(initial=0)) + 1):
            if power:
                half = 2 ** (power - 1)
                row = pick(row[:-half], row[half:])
            here = level == power
            found[here] = pick(row[ranges.first[here]], row[ranges.last[here] + 1 - 2**power])
        return found, True

    return function


FUNCTIONS: Final[dict[str, Function]] = {
    "rate": lambda ranges: _extrapolated(ranges, counter=True, per_second=True),
    "increase": lambda ranges: _extrapolated(ranges, counter=True, per_second=False),
    "delta": lambda ranges: _extrapolated(ranges, counter=False, per_second=False),
    "irate": _irate,
    "sum_over_time": lambda ranges: (_sums(ranges), True),
    "avg_over_time": lambda ranges: (_sums(ranges) / ranges.count, True),
    "count_over_time": lambda ranges: (ranges.count, True),
    "max_over_time": _extreme(np.fmax),
    "min_over_time": _extreme(np.fmin),
    "last_over_time": lambda ranges: (ranges.values[ranges.last], True),
    "present_over_time": lambda ranges: (np.ones(len(ranges.last)), True),
}
"""Name -> function; where its second answer is false, the window gives no sample."""
