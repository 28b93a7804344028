"""Exact statistics of counted events: what n requests with k bad ones prove about a true bad-event ratio.

Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika
26(4), 1934. The bounds are one-sided: each is wrong with probability at most `alpha`, whatever the true ratio is,
as long as events are independent. Counts may be fractions, for events that are not: see `holdfast.stats.dependence`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ALPHA: Final = 0.05
"""Default error probability of each one-sided bound."""

MOST: Final = 10**9
"""Events beyond which nobody waits."""


def upper_bound(bad: float, total: float, alpha: float = ALPHA) -> float:
    """Largest bad-event ratio that `bad` of `total` does not exclude at level `alpha`; 1.0 when nothing was seen."""
    _check(bad, total, alpha)
    if bad == total:
        return 1.0
    # scipy.special, not scipy.stats: the same numbers for a third of the import time.
    from scipy.special import betaincinv  # noqa: PLC0415 - `--help` need not pay for any of it

    return float(betaincinv(bad + 1, total - bad, 1 - alpha))


def lower_bound(bad: float, total: float, alpha: float = ALPHA) -> float:
    """Smallest bad-event ratio that `bad` of `total` does not exclude at level `alpha`; 0.0 when nothing was seen."""
    _check(bad, total, alpha)
    if bad == 0:
        return 0.0
    from scipy.special import betaincinv  # noqa: PLC0415

    return float(betaincinv(bad, total - bad + 1, alpha))


def most_bad_that_passes(total: int, limit: float, alpha: float = ALPHA) -> int:
    """Largest number of bad events in `total` whose upper bound is within `limit`; -1 when even zero proves nothing.

    upper_bound(k, n) <= p  <=>  P(Binomial(n, p) <= k) <= alpha, found by bisection.
    """
    if total <= 0:
        return -1
    if limit >= 1:
        return total
    from scipy.special import bdtr  # noqa: PLC0415

    low, high = -1, total  # P(X <= -1) = 0 <= alpha < 1 = P(X <= total)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bdtr(middle, total, limit) <= alpha else (low, middle)
    return low


def least_clean_events(limit: float, alpha: float = ALPHA) -> int:
    """Events needed, all of them good, to prove a bad-event ratio of at most `limit`: ln(alpha) / ln(1 - limit)."""
    if limit <= 0:
        raise ValueError("no finite number of events proves a ratio of zero")
    if limit >= 1:
        return 0
    return math.ceil(math.log(alpha) / math.log1p(-limit))


def events_to_pass(bad: float, total: float, limit: float, alpha: float = ALPHA, most: int = MOST) -> int | None:
    """How many further events, all good, would bring the upper bound of `bad` in `total` within `limit`.

    None when more than `most` would be needed.
    """
    return first_that(lambda more: upper_bound(bad, total + more, alpha) <= limit, most)


def first_that(holds: Callable[[int], bool], most: int = MOST) -> int | None:
    """The smallest number from 0 at which `holds`, which once true stays true; None when it is more than `most`.

    Found by doubling and bisection.
    """
    if holds(0):
        return 0
    low, high = 0, min(1, most)
    while not holds(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def chance_to_pass(total: int, limit: float, true_ratio: float, alpha: float = ALPHA) -> float:
    """Probability that `total` events of a service with `true_ratio` bad ones end in a proof of `limit`."""
    return chance_of_at_most(most_bad_that_passes(total, limit, alpha), total, true_ratio)


def chance_of_at_most(bad: int, total: int, true_ratio: float) -> float:
    """Probability of at most `bad` bad events among `total` independent ones; 0.0 for fewer than none."""
    if bad < 0:
        return 0.0
    from scipy.special import bdtr  # noqa: PLC0415

    return float(bdtr(bad, total, true_ratio))


def check_counts(bad: float, total: float) -> None:
    """Refuse counts that no record can hold.

    Raises:
        ValueError: fewer than no events, or more bad ones than events.
    """
    if not 0 <= bad <= total:
        raise ValueError(f"{bad} bad of {total} events cannot be")


def check_alpha(alpha: float) -> None:
    """Refuse an error probability that is none.

    Raises:
        ValueError: not between 0 and 1, or NaN.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")


def _check(bad: float, total: float, alpha: float) -> None:
    check_counts(bad, total)
    check_alpha(alpha)
