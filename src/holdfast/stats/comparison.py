"""Whether one bad-event ratio is worse than another by more than a margin: bounds for the difference of two binomials.

The bounds invert the score test: Miettinen and Nurminen, "Comparative analysis of two rates", Statistics in Medicine
4(2), 1985, with the restricted estimate in closed form (Farrington and Manning, Statistics in Medicine 9(12), 1990).

Its normal approximation is not good enough: at alpha = 5 % a baseline of 20 with 1 % bad is wrongly proved against
2,000 in 12 % of all cases, because one bad event makes a small baseline look bad. So the exact distribution of the
score must agree: the chance of a score as good or better, at the base ratio where it is largest (Chan and Zhang,
"Test-based exact confidence intervals for the difference of two binomial proportions", Biometrics 55(4), 1999), among
those that the counts do not exclude at a thousandth of alpha (Berger and Boos, "P values maximized over a confidence
set for the nuisance parameter", Journal of the American Statistical Association 89, 1994). A false proof then has
chance alpha at most, whatever the sizes and ratios are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.stats.binomial import (
    ALPHA,
    chance_of_at_most,
    check_alpha,
    check_counts,
    first_that,
    lower_bound,
    upper_bound,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Many = NDArray[np.float64]
    Some = float | Many

_EXCLUDED: Final = 0.001
"""Share of alpha that is spent on base ratios which the counts exclude."""

_STEPS: Final = 41
"""Base ratios tried between those limits: a small part of a standard error apart."""

_FINE: Final = 40
"""Halvings to a bound by the score."""

_COARSE: Final = 14
"""Halvings to a bound by the score's exact distribution, which takes longer."""

_FARTHEST: Final = 6.0
"""Standard errors beyond which an outcome is not looked at, but taken to be against us."""

_TINY: Final = 1e-30
_ROUNDING: Final = 1e-9
_UNSEEN: Final = 1e-12
"""Outcomes of the baseline so rare are left out of a sum over all of them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`bad` of `total` events; fractions where the events are not independent: see `holdfast.stats.dependence`.

    Raises ValueError for counts that no record can hold.
    """

    bad: float
    total: float

    def __post_init__(self) -> None:
        check_counts(self.bad, self.total)

    @property
    def ratio(self) -> float:
        """Share of bad ones; 0 when nothing was seen."""
        return self.bad / self.total if self.total else 0.0

    def longer(self, more: float) -> Sample:
        """The same ratio after `more` events."""
        total = self.total + more
        return Sample(min(total, self.ratio * total), total)


def difference_upper_bound(now: Sample, base: Sample, alpha: float = ALPHA) -> float:
    """Largest `now` minus `base` of the true ratios that the counts do not exclude; 1.0 when either saw nothing."""
    check_alpha(alpha)
    if not _comparable(now, base):
        return 1.0
    seen = now.ratio - base.ratio
    bound = _first(lambda difference: _score_p(now, base, difference) <= alpha, seen, 1.0, _FINE)

    def excluded(difference: float) -> bool:
        return not_worse(now, base, difference, alpha)

    if excluded(bound):
        return bound
    near = min(1.0, 2 * bound - seen)
    return _first(excluded, bound, near if excluded(near) else 1.0, _COARSE)


def difference_lower_bound(now: Sample, base: Sample, alpha: float = ALPHA) -> float:
    """Smallest difference that the counts do not exclude; -1.0 when either saw nothing."""
    return -difference_upper_bound(base, now, alpha)


def not_worse(now: Sample, base: Sample, margin: float, alpha: float = ALPHA) -> bool:
    """Whether the upper bound of the difference is within `margin`, without finding the bound."""
    if not _comparable(now, base):
        return False
    return _score_p(now, base, margin) <= alpha and _exact_p(now, base, margin, alpha) <= alpha


def not_worse_p_value(now: Sample, base: Sample, margin: float, alpha: float = ALPHA) -> float:
    """The smallest alpha at which `not_worse` holds; 1.0 when either saw nothing.

    That `now` is worse by more than `margin` has the p-value of the roles exchanged: (base, now, -margin). A thousandth
    of `alpha` is added, which is spent on base ratios that are excluded.
    """
    check_alpha(alpha)
    if not _comparable(now, base):
        return 1.0
    return min(1.0, max(_score_p(now, base, margin), _exact_p(now, base, margin, alpha)))


def least_clean_not_worse(margin: float, base: Sample, alpha: float = ALPHA) -> int | None:
    """Events needed, all of them good, to be proved not worse than `base`; None when no number in reach is enough."""
    return first_that(lambda total: not_worse(Sample(0, total), base, margin, alpha))


def most_bad_not_worse(total: int, base: Sample, margin: float, alpha: float = ALPHA) -> int:
    """Largest number of bad events in `total` that is still proved not worse; -1 when even zero is not."""
    low, high = -1, total + 1
    while high - low > 1:
        middle = (low + high) // 2
        passes = not_worse(Sample(middle, total), base, margin, alpha)
        low, high = (middle, high) if passes else (low, middle)
    return low


def chance_not_worse(
    total: int, ratio: float, *, base_total: int, base_ratio: float, margin: float, alpha: float = ALPHA
) -> float:
    """Probability that events with these true ratios end in a proof; where ratio = base_ratio + margin, a false one.

    Exact: a sum over every outcome of the baseline, but those rarer than 1e-12.
    """
    from scipy.special import xlog1py, xlogy  # noqa: PLC0415

    most, chance = -1, 0.0
    for bad in range(base_total + 1):
        ways = math.lgamma(base_total + 1) - math.lgamma(bad + 1) - math.lgamma(base_total - bad + 1)
        weight = math.exp(ways + xlogy(bad, base_ratio) + xlog1py(base_total - bad, -base_ratio))
        if weight < _UNSEEN:
            continue
        base = Sample(bad, base_total)
        # A worse baseline lets at least as many pass: the last count is a good place to go on from.
        while most < total and not_worse(Sample(most + 1, total), base, margin, alpha):
            most += 1
        chance += weight * chance_of_at_most(most, total, ratio)
    return min(1.0, chance)


def _comparable(now: Sample, base: Sample) -> bool:
    """Whether both saw something: one whole event at least."""
    return now.total >= 1 and base.total >= 1


def _score_p(now: Sample, base: Sample, difference: float) -> float:
    from scipy.special import ndtr  # noqa: PLC0415 - `--help` need not pay for it

    return float(ndtr(_score(now.bad, now.total, base.bad, base.total, difference)))


def _exact_p(now: Sample, base: Sample, difference: float, alpha: float) -> float:
    """Chance of so good a score, or a better one, at the worst base ratio that the counts leave, and what is spent."""
    import numpy as np  # noqa: PLC0415
    from scipy.special import bdtr  # noqa: PLC0415

    # Whole events, rounded so that `now` looks no better than it was, and the baseline no worse.
    n1, n0 = math.floor(now.total), math.floor(base.total)
    x1, x0 = math.ceil(now.ratio * n1 - _ROUNDING), math.floor(base.ratio * n0 + _ROUNDING)
    spent = alpha * _EXCLUDED
    # Limits of either side lie between 0 and 1: so do the base ratios between them, and the others `difference` above.
    low = max(lower_bound(x0, n0, spent / 4), lower_bound(x1, n1, spent / 4) - difference)
    high = min(upper_bound(x0, n0, spent / 4), upper_bound(x1, n1, spent / 4) - difference)
    if low > high:
        return spent
    bads = _outcomes(n0, low, high)
    most = _most_as_good(n1, n0, bads, difference, float(_score(x1, n1, x0, n0, difference)))
    ratios = np.linspace(low, high, _STEPS)[:, np.newaxis]
    chances = _binomial(bads, n0, ratios)
    good = np.where(most < 0, 0.0, bdtr(np.maximum(most, 0), n1, ratios + difference))
    left_out = np.maximum(0, 1 - chances.sum(axis=1))
    return float(((chances * good).sum(axis=1) + left_out).max()) + spent


def _score(bad: Some, total: float, base_bad: Some, base_total: float, difference: float) -> Many:
    """Standard errors by which the ratios seen differ by more than `difference`; the score statistic."""
    import numpy as np  # noqa: PLC0415

    p0 = _restricted(bad, total, base_bad, base_total, difference)
    p1, both = p0 + difference, total + base_total
    variance = (p1 * (1 - p1) / total + p0 * (1 - p0) / base_total) * both / (both - 1)
    beyond = bad / total - base_bad / base_total - difference
    return np.asarray(beyond / np.sqrt(np.maximum(variance, _TINY)))


def _restricted(bad: Some, total: float, base_bad: Some, base_total: float, difference: float) -> Many:
    """The most likely base ratio among those with the other exactly `difference` above: a root of a cubic.

    Miettinen and Nurminen 1985, appendix 1; Farrington and Manning 1990, appendix.
    """
    import numpy as np  # noqa: PLC0415

    cube, bads = total + base_total, bad + base_bad
    square = (total + 2 * base_total) * difference - cube - bads
    line = (base_total * difference - cube - 2 * base_bad) * difference + bads
    constant = base_bad * difference * (1 - difference)
    centre = square / (3 * cube)
    q = centre**3 - centre * line / (2 * cube) + constant / (2 * cube)
    p = np.copysign(np.sqrt(np.maximum(centre**2 - line / (3 * cube), _TINY)), q)
    angle = (math.pi + np.arccos(np.minimum(q / p**3, 1))) / 3
    return np.asarray(np.clip(2 * p * np.cos(angle) - centre, max(0.0, -difference), min(1.0, 1 - difference)))


def _most_as_good(total: int, base_total: int, base_bads: Many, difference: float, score: float) -> Many:
    """For each number of bad events of the baseline: how many of `total` may be bad for as good a score; -1 for none.

    By bisection, all at once: the score rises with every bad event.
    """
    import numpy as np  # noqa: PLC0415

    low, high = np.full_like(base_bads, -1), np.full_like(base_bads, total + 1)
    while (high - low).max() > 1:
        # Where both have met, this is `low`: whatever its score is, `low` stays.
        middle = np.floor((low + high) / 2)
        as_good = _score(middle, total, base_bads, base_total, difference) <= score + _ROUNDING
        low, high = np.where(as_good, middle, low), np.where(as_good, high, middle)
    return low


def _outcomes(total: int, low: float, high: float) -> Many:
    """Every number of bad events that is not out of the question for ratios between `low` and `high`."""
    import numpy as np  # noqa: PLC0415

    first = total * low - _FARTHEST * (math.sqrt(total * low) + 1)
    last = total * high + _FARTHEST * (math.sqrt(total * high) + _FARTHEST)
    return np.arange(max(0, math.floor(first)), min(total, math.ceil(last)) + 1, dtype=np.float64)


def _binomial(bads: Many, total: int, ratio: Many) -> Many:
    import numpy as np  # noqa: PLC0415
    from scipy.special import gammaln, xlog1py, xlogy  # noqa: PLC0415

    ways = gammaln(total + 1) - gammaln(bads + 1) - gammaln(total - bads + 1)
    return np.asarray(np.exp(ways + xlogy(bads, ratio) + xlog1py(total - bads, -ratio)))


def _first(holds: Callable[[float], bool], low: float, high: float, halvings: int) -> float:
    """The least number at which `holds`, from above; it is taken to hold at `high`."""
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
