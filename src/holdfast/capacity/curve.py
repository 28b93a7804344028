"""Where the bad share crosses its limit: a curve through all probes at once, and how sure that leaves us.

Near its capacity a server's odds of a bad request rise as a power of the rate:

    logit(share) = logit(limit) + steepness * ln(rate / capacity)

Both numbers are unknown, so every pair of a grid is weighed by how likely it makes what the probes saw. Four things
keep one odd probe from deciding: what lies far under the limit only bounds the share from above, for there the curve is
no line; a small chance that any probe is an outlier; few effective requests for a probe in which latency only grew,
because that is one event and not thousands; and a belief that what an overloaded server completed is not far from it.

The interval is a belief of this curve, not a proof; `benchmarks/capacity_search.py` measures how often it is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from holdfast.capacity.probe import Judged, Probe

_PLACES: Final = 700
_STEEPNESS: Final = (2.0, 600.0, 36)
"""From a share that follows the square of the rate to a cliff; so many values between."""
_SWING: Final = 0.6
_LEAST_STEEP: Final = 5.0
_USUAL: Final = 20.0
_SPREAD: Final = 0.9
"""Steepness to expect before any probe: of M/M/c it is rate x bound, of burstier queues less; and the log-sigma."""
_FAR: Final = 4.0
"""Log-odds under the limit's from which on a share is only bounded from above."""
_OUTLIER: Final = 0.001
"""Chance that a probe has nothing to do with the curve."""
_GROWTH_IS_WORTH: Final = 6.0
"""Independent requests that a growing latency, or one beyond its bound for most, is worth."""
_CURVED: Final = 0.35
"""How wrong a straight line may be, as a share of the distance from the limit in log-odds."""
_NOISE: Final = 0.3
"""Log-odds by which the same rate differs from one probe to the next."""
_OVERLOADED: Final = (0.93, 0.12, 0.01)
"""Where the capacity is believed to lie under what an overloaded server completed: share, log-sigma, and the doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A rate between two bounds, requests per second; `steepness` of the curve there."""

    rate: float
    low: float
    high: float
    steepness: float

    @property
    def width(self) -> float:
        """How far the bounds lie from the rate, the farther one, as a share of it."""
        return max(self.high / self.rate, self.rate / self.low) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """A distribution of ln(capacity) on a grid: `at` in log requests per second, `weight` sums to one."""

    at: NDArray[np.float64]
    weight: NDArray[np.float64]
    steepness: float

    def quantile(self, share: float) -> float:
        """The rate that the capacity is below with this probability."""
        import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

        return math.exp(float(np.interp(share, np.cumsum(self.weight), self.at)))

    def estimate(self, confidence: float) -> Estimate:
        """Median and the interval that holds `confidence` of the weight."""
        tail = (1 - confidence) / 2
        low, rate, high = (self.quantile(one) for one in (tail, 0.5, 1 - tail))
        return Estimate(rate=rate, low=low, high=high, steepness=self.steepness)


def logit(share: float) -> float:
    """Log-odds of a share between 0 and 1."""
    return math.log(share / (1 - share))


def believe(probes: Sequence[Probe], low: float, high: float) -> Belief:
    """What probes say of the capacity between two rates: the smallest of what each of their objectives allows."""
    import numpy as np  # noqa: PLC0415

    at = np.linspace(math.log(low) - 0.1, math.log(high) + 0.1, _PLACES)
    names = dict.fromkeys(one.objective.name for probe in probes for one in probe.judged)
    above, steep, least = np.ones(_PLACES), 0.0, math.inf
    for name in names:
        mine = [(probe, one) for probe in probes for one in probe.judged if one.objective.name == name]
        weight, steepness = _one(at, mine)
        survives = 1 - np.cumsum(weight)
        above = above * survives
        middle = float(np.interp(0.5, 1 - survives, at))
        steep, least = (steepness, middle) if middle < least else (steep, least)
    weight = -np.diff(above, prepend=1.0)
    total = weight.sum()
    return Belief(at=at, weight=weight / total if total > 0 else np.full(_PLACES, 1 / _PLACES), steepness=steep)


def _one(at: NDArray[np.float64], seen: Sequence[tuple[Probe, Judged]]) -> tuple[NDArray[np.float64], float]:
    """Weights of each place for one objective, and the mean steepness."""
    import numpy as np  # noqa: PLC0415

    steepness = np.geomspace(*_STEEPNESS)
    bound = seen[0][1].objective.bound if seen else None
    usual = np.maximum(_LEAST_STEEP, _SWING * bound * np.exp(at)) if bound else np.full(len(at), _USUAL)
    log = -0.5 * (np.log(steepness[None, :] / usual[:, None]) / _SPREAD) ** 2
    for probe, one in seen:
        if one.n:
            log += _likelihood(at, steepness, probe, one)
    log += _hint(at, seen)[:, None]
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    return weight.sum(axis=1), float(np.exp(weight.sum(axis=0) @ np.log(steepness)))


def _likelihood(
    at: NDArray[np.float64], steepness: NDArray[np.float64], probe: Probe, one: Judged
) -> NDArray[np.float64]:
    """Log-likelihood of what one probe says of one objective, with its chance of being an outlier."""
    import numpy as np  # noqa: PLC0415
    from scipy.special import log_expit  # noqa: PLC0415

    wanted, tail = logit(one.objective.limit), one.tail
    overloaded = probe.growing or tail.odds > 0
    # A queue answers to what was offered, which chance makes some percent more or less than what was asked.
    rate = probe.rate if overloaded or not probe.offered else probe.offered
    expected = wanted + np.outer(math.log(rate) - at, steepness)
    if overloaded:
        told = min(one.n / one.effect, _GROWTH_IS_WORTH) * log_expit(expected)
    else:
        off = (expected - tail.odds) / math.hypot(tail.doubt, _CURVED * (tail.odds - wanted), _NOISE)
        # Far below the limit the curve is steeper than any line: the share is at most what the tail says.
        told = -0.5 * (np.maximum(off, 0.0) if tail.at_most or tail.odds < wanted - _FAR else off) ** 2
    return np.asarray(np.logaddexp(math.log1p(-_OUTLIER) + told, math.log(_OUTLIER)))


def _hint(at: NDArray[np.float64], seen: Sequence[tuple[Probe, Judged]]) -> NDArray[np.float64]:
    """Half a belief that the capacity lies a little under what an overloaded server completed."""
    import numpy as np  # noqa: PLC0415

    overloaded = [probe for probe, one in seen if (probe.growing or one.tail.odds > 0) and probe.achieved > 0]
    if not overloaded:
        return np.zeros(len(at))
    share, spread, doubt = _OVERLOADED
    guess = math.log(share * max(one.achieved for one in overloaded))
    return np.asarray(np.log(doubt + np.exp(-0.5 * ((at - guess) / spread) ** 2)))
