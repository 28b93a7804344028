"""Several objectives judged together: when an error probability must be shared out, and when it need not be.

"Good" for all of them needs no correction. The claim is false as soon as one objective is broken, and that one alone
passes with probability at most alpha: an intersection-union test (Berger, "Multiparameter hypothesis testing and
acceptance sampling", Technometrics 24(4), 1982). The price is power: each objective must be proved.

"Bad" for any of them needs one. With m objectives that are all just kept, one of m tests at alpha fails up to m times
as often as one test. Holm's step-down keeps the chance of even one false "bad" within alpha, whatever the dependence
(Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6(2), 1979).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from holdfast.stats.binomial import ALPHA, check_alpha, check_counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def breach_p_value(bad: float, total: float, limit: float) -> float:
    """Chance of `bad` or more of `total` independent events when the true ratio is `limit`; 1.0 when none was seen.

    It is below alpha exactly when `lower_bound(bad, total, alpha)` lies beyond `limit`.

    Raises:
        ValueError: the counts cannot be, or `limit` does not lie between 0 and 1.
    """
    check_counts(bad, total)
    if not 0 <= limit <= 1:
        raise ValueError(f"a limit must lie between 0 and 1, got {limit}")
    if bad == 0:
        return 1.0
    from scipy.special import betainc  # noqa: PLC0415 - `--help` need not pay for it

    # P(X >= k) for X binomial(n, p) is the incomplete beta function I_p(k, n - k + 1), for fractions too.
    return float(betainc(bad, total - bad + 1, limit))


def holm_adjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """For each p-value, the smallest family-wise alpha at which Holm's step-down rejects it; in the order given.

    Raises:
        ValueError: a p-value does not lie between 0 and 1, or is NaN.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError(f"p-values lie between 0 and 1, got {tuple(p_values)}")
    adjusted, worst = [0.0] * len(p_values), 0.0
    for done, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - done) * p_values[index]))
        adjusted[index] = worst
    return tuple(adjusted)


def holm(p_values: Sequence[float], alpha: float = ALPHA) -> tuple[bool, ...]:
    """Which hypotheses fall when the chance that even one falls wrongly shall be at most `alpha`.

    Raises:
        ValueError: as `holm_adjusted`, or `alpha` does not lie between 0 and 1.
    """
    check_alpha(alpha)
    return tuple(p <= alpha for p in holm_adjusted(p_values))


def joint_chance(chances: Iterable[float]) -> float:
    """Chance that all of several independent objectives are proved, from the chance of each; 1.0 for none.

    Raises:
        ValueError: a chance does not lie between 0 and 1, or is NaN.
    """
    known = tuple(chances)
    if not all(0 <= chance <= 1 for chance in known):
        raise ValueError(f"chances lie between 0 and 1, got {known}")
    return math.prod(known)
