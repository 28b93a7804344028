"""Exact statistics of counted events: what n requests with k bad ones prove about a true bad-event ratio.

Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika
26(4), 1934. The bounds are one-sided: each is wrong with probability at most `alpha`, whatever the true ratio is,
as long as events are independent.
"""

from __future__ import annotations

import math
from typing import Final

ALPHA: Final = 0.05
"""Default error probability of each one-sided bound."""


def upper_bound(bad: int, total: int, alpha: float = ALPHA) -> float:
    """Largest bad-event ratio that `bad` of `total` does not exclude at level `alpha`; 1.0 when nothing was seen."""
    _check(bad, total, alpha)
    if bad == total:
        return 1.0
    # scipy.special, not scipy.stats: the same numbers for a third of the import time.
    from scipy.special import betaincinv  # noqa: PLC0415 - `--help` need not pay for any of it

    return float(betaincinv(bad + 1, total - bad, 1 - alpha))


def lower_bound(bad: int, total: int, alpha: float = ALPHA) -> float:
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


def events_to_pass(bad: int, total: int, limit: float, alpha: float = ALPHA, most: int = 10**9) -> int | None:
    """How many further events, all good, would bring the upper bound of `bad` in `total` within `limit`.

    None when more than `most` would be needed. Found by doubling and bisection: the bound falls with every good event.
    """
    if upper_bound(bad, total, alpha) <= limit:
        return 0
    step = 1
    while upper_bound(bad, total + step, alpha) > limit:
        step *= 2
        if step > most:
            return None
    low, high = step // 2, step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(bad, total + middle, alpha) <= limit else (middle, high)
    return high


def chance_to_pass(total: int, limit: float, true_ratio: float, alpha: float = ALPHA) -> float:
    """Probability that `total` events of a service with `true_ratio` bad ones end in a proof of `limit`."""
    allowed = most_bad_that_passes(total, limit, alpha)
    if allowed < 0:
        return 0.0
    from scipy.special import bdtr  # noqa: PLC0415

    return float(bdtr(allowed, total, true_ratio))


def check_counts(bad: int, total: int) -> None:
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


def _check(bad: int, total: int, alpha: float) -> None:
    check_counts(bad, total)
    check_alpha(alpha)
