"""A histogram of seconds that merges exactly: what eight workers counted is, bit for bit, what one would have counted.

Buckets grow by a constant factor, so a quantile is known within ACCURACY of its value wherever it lies (Masson, Rim and
Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", PVLDB 12(12), 2019). The
range is fixed, because buckets that adapt to the data depend on the order in which it came. Percentiles themselves
cannot be merged, and averaging them is wrong by any amount: counts travel, quantiles are asked of their sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

ACCURACY: Final = 1 / 256
"""Largest relative error of a quantile between LEAST and MOST."""
LEAST: Final = 1e-4
"""Seconds below which a value counts as this much."""
MOST: Final = 600.0
"""Seconds above which only that it was longer is known."""
_GROWTH: Final = math.log((1 + ACCURACY) / (1 - ACCURACY))
_BUCKETS: Final = math.ceil(math.log(MOST / LEAST) / _GROWTH) + 2
"""The first holds what is LEAST or less, the last what is beyond MOST and what never ended."""


def _nothing() -> NDArray[np.int64]:
    import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

    return np.zeros(_BUCKETS, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Sketch:
    """Counts by bucket; equal sketches hold equal counts. 16 kB, whatever was counted."""

    counts: NDArray[np.int64] = field(default_factory=_nothing)

    @classmethod
    def of(cls, seconds: ArrayLike) -> Self:
        """The sketch of values in seconds; infinity stands for an answer that never came.

        Raises:
            ValueError: a value is NaN or negative: what is not known is not counted, and not left out silently either.
        """
        import numpy as np  # noqa: PLC0415

        values = np.asarray(seconds, dtype=np.float64).ravel()
        if not (values >= 0).all():
            raise ValueError("a sketch counts seconds from 0 to infinity")
        with np.errstate(divide="ignore"):
            steps = np.ceil(np.log(values / LEAST) / _GROWTH)
        return cls(np.bincount(np.clip(steps, 0, _BUCKETS - 1).astype(np.int64), minlength=_BUCKETS))

    @classmethod
    def merged(cls, parts: Iterable[Sketch]) -> Self:
        """The sketch of all that the parts counted: sums of whole numbers, so in any order and grouping the same."""
        return cls(sum((part.counts for part in parts), start=_nothing()))

    @property
    def count(self) -> int:
        """How many values it holds."""
        return int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """The value, in seconds, that at least `share` of all do not exceed: one that was seen, within ACCURACY.

        NaN when nothing was counted; infinity beyond MOST.

        Raises:
            ValueError: `share` does not lie between 0 and 1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"a share lies between 0 and 1, not {share}")
        if not self.count:
            return math.nan
        rank = max(1, math.ceil(share * self.count - 1e-9))
        return _value(int(self.counts.cumsum().searchsorted(rank)))

    def to_json(self) -> dict[str, int]:
        """Buckets that hold something, for the wire."""
        return {str(index): int(self.counts[index]) for index in self.counts.nonzero()[0]}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """The sketch that said `told`.

        Raises:
            ValueError: a bucket does not exist, or a count is not a whole number from 0.
        """
        counts = _nothing()
        for index, count in told.items():
            if not (index.isdecimal() and int(index) < _BUCKETS and type(count) is int and count >= 0):
                raise ValueError(f"not a bucket and its count: {index!r}: {count!r}")
            counts[int(index)] = count
        return cls(counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and bool((self.counts == other.counts).all())

    __hash__ = None  # type: ignore[assignment]  # an array inside has no hash either


def _value(bucket: int) -> float:
    """What stands for a bucket: as far, in ratio, from its lower edge as from its upper one."""
    if bucket == 0:
        return LEAST
    if bucket == _BUCKETS - 1:
        return math.inf
    return LEAST * math.exp(_GROWTH * bucket) * (1 - ACCURACY)
