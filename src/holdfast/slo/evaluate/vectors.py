"""Series of samples, and what an expression is at many times at once: one row of values for each set of labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from holdfast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

Numbers: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
Key: TypeAlias = frozenset[tuple[str, str]]

Kept = TypeVar("Kept")

NAME: Final = "__name__"
_DENSE: Final = 4
"""Counting by places pays while there are not many more places than samples and ends."""


class EvaluationError(UsageError):
    """Prometheus refuses to evaluate this over these series: one sample would have two values.

    `when` says at which of the evaluation times; those of a subquery are other times than were asked for.
    """

    def __init__(self, message: str, when: Mask) -> None:
        super().__init__(message)
        self.when = when


class UnsupportedError(UsageError):
    """PromQL that is right, but that this evaluator does not know."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """The samples of one series. `times` in Unix seconds, strictly rising; `stale` marks where the series ended.

    `late` samples are not there yet at their own time: a rule that reads what it wrote finds only what was before.
    """

    labels: Mapping[str, str]
    times: Numbers
    values: Numbers
    stale: Mask | None = None
    late: bool = False
    _kept: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def kept(self, name: Hashable, make: Callable[[], Kept]) -> Kept:
        """What `make` gives, made once: several windows of a series share most of the work."""
        if name not in self._kept:
            self._kept[name] = make()
        found: Kept = self._kept[name]
        return found

    def moments(self) -> NDArray[np.int64]:
        """The times in whole milliseconds, in which Prometheus counts."""
        return self.kept("moments", lambda: milliseconds(self.times))

    def unmarked(self) -> Track:
        """The samples alone: stale marks end a series for instants; in ranges they are nothing."""
        stale = self.stale
        if stale is None or not stale.any():
            return self
        return self.kept(
            "unmarked", lambda: replace(self, times=self.times[~stale], values=self.values[~stale], stale=None)
        )

    def count(self, end: NDArray[np.int64], every: int) -> NDArray[np.intp]:
        """How many samples there are up to and including each end (ms); ends are `every` ms apart, 0: they are not."""
        end = end - 1 if self.late else end
        moments = self.moments()
        if not every or moments[-1] - moments[0] > every * _DENSE * (len(moments) + len(end)):
            return np.searchsorted(moments, end, side="right")
        phase = int(end[0] % every)
        origin, counts = self.kept(("count", every, phase), lambda: _counted(moments, every, phase))
        first = (int(end[0]) - phase) // every - origin
        found: NDArray[np.intp] = counts[np.clip(np.arange(first, first + len(end)), 0, len(counts) - 1)]
        return found


def _counted(moments: NDArray[np.int64], every: int, phase: int) -> tuple[int, NDArray[np.intp]]:
    """Samples up to each place of an even grid; its first place lies before all samples."""
    place = -((phase - moments) // every)
    origin = int(place[0]) - 1
    return origin, np.cumsum(np.bincount(place - origin))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vector:
    """One series of an answer: its value at each evaluation time, and whether it has one (a NaN may be one)."""

    labels: Mapping[str, str]
    values: Numbers
    present: Mask


def milliseconds(seconds: Any) -> NDArray[np.int64]:
    """Whole milliseconds, so that the edges of windows are exact."""
    return np.rint(np.asarray(seconds, dtype=np.float64) * 1000).astype(np.int64)


def key(labels: Mapping[str, str]) -> Key:
    """Labels as something to look up by."""
    return frozenset(labels.items())


def without(labels: Mapping[str, str], *names: str) -> dict[str, str]:
    """Labels without some of them."""
    return {name: value for name, value in labels.items() if name not in names}


def only(labels: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Some of the labels."""
    return {name: labels[name] for name in names if name in labels}


def masked(labels: Mapping[str, str], values: Numbers, present: Mask) -> Vector:
    """A vector that is NaN where it is not present."""
    return Vector(labels=labels, values=np.where(present, values, np.nan), present=present)


def anywhere(vectors: Iterable[Vector], like: Mask) -> Mask:
    """When at least one of the vectors is present; `like` gives the length."""
    found = np.zeros_like(like)
    for vector in vectors:
        found |= vector.present
    return found


def distinct(vectors: Iterable[Vector]) -> list[Vector]:
    """One vector for each set of labels, of those ever present.

    Raises EvaluationError when two are present at the same time.
    """
    found: dict[Key, Vector] = {}
    for vector in vectors:
        if not vector.present.any():
            continue
        same = key(vector.labels)
        found[same] = _merged(found[same], vector) if same in found else vector
    return list(found.values())


def _merged(one: Vector, two: Vector) -> Vector:
    both = one.present & two.present
    if both.any():
        raise EvaluationError(f"vector cannot contain metrics with the same labelset: {dict(one.labels)}", both)
    return Vector(
        labels=one.labels,
        values=np.where(one.present, one.values, two.values),
        present=one.present | two.present,
    )
