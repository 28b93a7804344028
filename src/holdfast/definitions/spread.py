"""Many values as a few: the ways in which tools choose a percentile, all exact over the values themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Values = NDArray[Any]
    Quantile = Callable[[Values, Values, float], float]

SHARES: Final = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How many values, their mean and quantiles, in the unit of the values; None for what no value says.

    A value may be infinite: a request that never got there.
    """

    n: int
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    least: float | None = None
    most: float | None = None


def spread(values: Sequence[float], weights: Sequence[float], quantile: Quantile) -> Spread:
    """The spread of the values whose weight is not zero. Raises ValueError for a NaN: nobody knows where it belongs."""
    import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

    there, weigh = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    if np.isnan(there).any():
        raise ValueError("a value that is not a number has no place among the others")
    there, weigh = there[weigh > 0], weigh[weigh > 0]
    if not len(there):
        return Spread(n=0)
    p50, p90, p95, p99 = (quantile(there, weigh, share) for share in SHARES)
    return Spread(
        n=len(there),
        mean=float((there * weigh).sum() / weigh.sum()),
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        least=float(there.min()),
        most=float(there.max()),
    )


def linear(values: Values, share: float) -> float:
    """Between the two neighbours of rank share * (n - 1); the nearer one of them where a value is infinite."""
    import numpy as np  # noqa: PLC0415

    finite = bool(np.isfinite(values).all())
    return float(np.percentile(values, share * 100, method="linear" if finite else "nearest"))


def stepped(values: Values, weights: Values, share: float) -> float:
    """The smallest value up to which the weights sum to `share` of all, as doubles sum: nine times 0.1 is not 0.9."""
    import numpy as np  # noqa: PLC0415

    unique, inverse = np.unique(values, return_inverse=True)
    weigh = np.bincount(inverse, weights=weights)
    reached = np.cumsum(weigh / weigh.sum())
    return float(unique[min(int(np.searchsorted(reached, share, side="left")), len(unique) - 1)])


def kept_by(values: Values, share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed: one that was seen, or infinity."""
    return ranked(values, max(math.ceil(round(share * len(values), 9)), 1) - 1)


def truncated(values: Values, share: float) -> float:
    """The value of rank floor(share * n), counted from zero."""
    return ranked(values, min(int(share * len(values)), len(values) - 1))


def ranked(values: Values, rank: int) -> float:
    """The value of this rank, counted from zero."""
    import numpy as np  # noqa: PLC0415

    return float(np.partition(values, rank)[rank])
