"""How long recovery takes when some runs ended before it came: the product-limit estimate, its median and a bound.

A recovery time is a number of seconds and whether recovery was seen. One that was not seen is censored: it lasted at
least so long. What is assumed: a run is not ended because of how its recovery is going.

Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 53, 1958. Greenwood, "The natural
duration of cancer", 1926. Kalbfleisch and Prentice, "The Statistical Analysis of Failure Time Data", 1980, section
1.3 (the bound on the log-minus-log scale, which stays between 0 and 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from holdfast.stats.binomial import ALPHA, check_alpha, upper_bound

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A time at which at least one recovery was seen.

    `at_risk` had not recovered just before `seconds`, `recovered` did then, `waiting` is the estimated share that
    takes longer, `greenwood` the sum of d / (n (n - d)) so far: the variance of `waiting` over its square.
    """

    seconds: float
    at_risk: int
    recovered: int
    waiting: float
    greenwood: float


def kaplan_meier(seconds: Sequence[float], seen: Sequence[bool]) -> tuple[Step, ...]:
    """Steps of the estimated share that has not recovered yet; empty when no recovery was seen.

    At equal times recoveries come before censoring, as is usual.

    Raises:
        ValueError: the sequences differ in length, or a time is negative or not finite.
    """
    _check(seconds, seen)
    steps: list[Step] = []
    waiting, greenwood = 1.0, 0.0
    for moment in sorted({time for time, ended in zip(seconds, seen, strict=True) if ended}):
        at_risk = sum(1 for time in seconds if time >= moment)
        recovered = sum(1 for time, ended in zip(seconds, seen, strict=True) if ended and time == moment)
        left = at_risk - recovered
        waiting *= left / at_risk
        greenwood += recovered / (at_risk * left) if left else math.inf
        steps.append(
            Step(seconds=moment, at_risk=at_risk, recovered=recovered, waiting=waiting, greenwood=greenwood),
        )
    return tuple(steps)


def median_recovery(seconds: Sequence[float], seen: Sequence[bool]) -> float | None:
    """First time, in seconds, at which the estimated share still waiting is at most a half; None if it never is.

    Raises:
        ValueError: as `kaplan_meier`.
    """
    # 1e-12: a product of exact halves may end a rounding error above one half.
    return next((step.seconds for step in kaplan_meier(seconds, seen) if step.waiting <= 0.5 + 1e-12), None)


def waiting_upper_bound(seconds: Sequence[float], seen: Sequence[bool], at: float, alpha: float = ALPHA) -> float:
    """Largest share not recovered within `at` seconds that the record does not exclude at level `alpha`.

    Exact (Clopper-Pearson) when no run was censored before `at`. Otherwise Greenwood's variance on the log-minus-log
    scale, an approximation for large samples. Where that variance says nothing, because the estimate is 0 or 1, every
    run censored early counts as not recovered, which can only raise the bound. 1.0 when there is no run.

    Raises:
        ValueError: as `kaplan_meier`; or `alpha` does not lie between 0 and 1, or `at` is negative or NaN.
    """
    check_alpha(alpha)
    if not at >= 0:
        raise ValueError(f"a time must not be negative, got {at}")
    _check(seconds, seen)
    pairs = tuple(zip(seconds, seen, strict=True))
    unproved = sum(1 for time, ended in pairs if not (ended and time <= at))
    past = [step for step in kaplan_meier(seconds, seen) if step.seconds <= at]
    censored_early = any(not ended and time < at for time, ended in pairs)
    if not censored_early or not past or past[-1].waiting <= 0:
        return upper_bound(unproved, len(pairs), alpha)
    last = past[-1]
    error = math.sqrt(last.greenwood) / -math.log(last.waiting)
    return float(last.waiting ** math.exp(-NormalDist().inv_cdf(1 - alpha) * error))


def _check(seconds: Sequence[float], seen: Sequence[bool]) -> None:
    if len(seconds) != len(seen):
        raise ValueError(f"{len(seconds)} times and {len(seen)} endings do not belong together")
    if not all(math.isfinite(time) and time >= 0 for time in seconds):
        raise ValueError("a recovery time is a finite number of seconds, not negative")
