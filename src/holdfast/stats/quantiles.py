"""Bounds for a quantile from the order statistics of a sample, whatever the distribution is.

The number of values below the true quantile is binomial, so the r-th smallest value bounds it with a probability that
is known exactly for continuous distributions and is no smaller for any other. Nothing is interpolated: a bound is one
of the values seen, or there is none. Values keep their unit. A request that never ended may stand as infinity.

Hahn and Meeker, "Statistical Intervals", 1991, section 5.2. Values are assumed to be independent.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from holdfast.stats.binomial import ALPHA, check_alpha

if TYPE_CHECKING:
    from collections.abc import Sequence


def upper_rank(total: int, quantile: float, alpha: float = ALPHA) -> int | None:
    """Rank from 1 of the smallest of `total` values that bounds the quantile from above at level `alpha`.

    None when not even the largest does, that is when quantile ** total > alpha.

    Raises:
        ValueError: `total` is negative, or `quantile` or `alpha` does not lie between 0 and 1.
    """
    _check(total, quantile, alpha)
    from scipy.stats import binom  # noqa: PLC0415 - 0.4 s of import that `--help` need not pay

    # The r-th value lies below the quantile when r or more values do: P(Binomial(total, quantile) >= r) <= alpha.
    rank = int(binom.ppf(1 - alpha, total, quantile)) + 1 if total else 1
    return rank if rank <= total else None


def lower_rank(total: int, quantile: float, alpha: float = ALPHA) -> int | None:
    """Rank from 1 of the largest of `total` values that bounds the quantile from below at level `alpha`.

    None when not even the smallest does, that is when (1 - quantile) ** total > alpha.

    Raises:
        ValueError: as `upper_rank`.
    """
    # Turned upside down, the quantile q is the quantile 1 - q, and a bound from below is one from above.
    mirrored = upper_rank(total, 1 - quantile, alpha)
    return None if mirrored is None else total + 1 - mirrored


def quantile_upper_bound(values: Sequence[float], quantile: float, alpha: float = ALPHA) -> float | None:
    """Value that the quantile exceeds with probability at most `alpha`, in the unit of `values`; None with too few.

    Raises:
        ValueError: a value is NaN, or as `upper_rank`.
    """
    return _at(values, upper_rank(len(values), quantile, alpha))


def quantile_lower_bound(values: Sequence[float], quantile: float, alpha: float = ALPHA) -> float | None:
    """Value that the quantile falls short of with probability at most `alpha`; None with too few values.

    Raises:
        ValueError: a value is NaN, or as `upper_rank`.
    """
    return _at(values, lower_rank(len(values), quantile, alpha))


def least_for_quantile(quantile: float, alpha: float = ALPHA) -> int:
    """Values needed for any upper bound of the quantile: ln(alpha) / ln(quantile).

    Raises:
        ValueError: `quantile` or `alpha` does not lie between 0 and 1.
    """
    _check(0, quantile, alpha)
    return math.ceil(math.log(alpha) / math.log(quantile))


def _at(values: Sequence[float], rank: int | None) -> float | None:
    if any(math.isnan(value) for value in values):
        raise ValueError("a value that is not a number has no rank")
    return None if rank is None else float(sorted(values)[rank - 1])


def _check(total: int, quantile: float, alpha: float) -> None:
    if total < 0:
        raise ValueError(f"{total} values cannot be")
    if not 0 < quantile < 1:
        raise ValueError(f"a quantile must lie between 0 and 1, got {quantile}")
    check_alpha(alpha)
