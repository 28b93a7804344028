"""By what factor a quantile of one set of runs differs from that of another, and what factor could have been seen.

The distribution of the logarithm of the ratio comes from resampling each run in blocks of successive requests, because
requests that are neighbours share a queue (circular block bootstrap: Politis and Romano, "A circular block-resampling
procedure for stationary data", 1992). Blocks are as long as the memory of the tail asks: the flat-top rule of Politis
and White, "Automatic block-length selection for the dependent bootstrap", Econometric Reviews 23(1), 2004, on whether
each request lay beyond the quantile.

Runs of one side that differ by more than that explain are a second source of chance (DerSimonian and Laird, "Meta-
analysis in clinical trials", Controlled Clinical Trials 7(3), 1986), with as few degrees of freedom as there are runs
(Satterthwaite, 1946). With one run a side it cannot be seen, and the answer says nothing about it.

A request that failed is infinitely slow. Where the quantile itself is infinite there is no ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.stats.binomial import ALPHA, check_alpha

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Values = NDArray[np.float64]

RESAMPLES: Final = 400
POWER: Final = 0.9
BEYOND: Final = 10
"""Requests beyond the quantile without which its place is anybody's guess."""
_SIGNIFICANT: Final = 2.0
"""Politis and White: correlations below this times sqrt(log10(n) / n) are taken for none."""
_QUIET: Final = 5
"""So many of them in a row end the memory: max(5, sqrt(log10(n))), which is 5 for any n that fits a machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileRatio:
    """New over base: the estimate, its interval at level alpha, and the smallest factor seen with a chance of POWER.

    `base` and `new` are the quantiles, in the unit of the values. NaN where the runs do not tell.
    """

    base: float
    new: float
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    smallest: float = math.nan


def quantile_ratio(
    base: Sequence[ArrayLike],
    new: Sequence[ArrayLike],
    share: float,
    *,
    random: np.random.Generator,
    alpha: float = ALPHA,
) -> QuantileRatio:
    """Compare the quantile `share` of two sides; each is one or more runs, a run's values in the order they were due.

    Values are not negative, infinity for a request that failed. The interval has two sides of alpha / 2 each.

    Raises:
        ValueError: a value is NaN or negative, `share` or `alpha` does not lie between 0 and 1.
    """
    check_alpha(alpha)
    if not 0 < share < 1:
        raise ValueError(f"a share lies between 0 and 1, not {share}")
    sides = [_checked(side) for side in (base, new)]
    found = [_quantile(side, share) for side in sides]
    if not all(0 < one < math.inf for one in found) or not all(_enough(side, share) for side in sides):
        return QuantileRatio(base=found[0], new=found[1])
    error, freedom = _error([_spread(side, share, random) for side in sides], runs=sum(map(len, sides)))
    return _answer(found[0], found[1], error, freedom, alpha)


def _answer(base: float, new: float, error: float, freedom: float, alpha: float) -> QuantileRatio:
    from scipy.stats import t  # noqa: PLC0415 - 0.4 s of import that `--help` need not pay

    middle = math.log(new / base)
    if not math.isfinite(error):
        return QuantileRatio(base=base, new=new, estimate=new / base)
    reach, power = (float(t.ppf(share, freedom)) for share in (1 - alpha / 2, POWER))
    return QuantileRatio(
        base=base,
        new=new,
        estimate=new / base,
        low=math.exp(middle - reach * error),
        high=math.exp(middle + reach * error),
        smallest=math.exp((reach + power) * error),
    )


def _checked(side: Sequence[ArrayLike]) -> list[Values]:
    import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

    runs = [np.asarray(run, dtype=np.float64) for run in side]
    if not all((run >= 0).all() for run in runs):
        raise ValueError("a latency is a number from 0 to infinity")
    return [run for run in runs if len(run)]


def _enough(side: Sequence[Values], share: float) -> bool:
    return sum(map(len, side)) * (1 - share) >= BEYOND


def _quantile(side: Sequence[Values], share: float) -> float:
    import numpy as np  # noqa: PLC0415

    return float(np.quantile(np.concatenate(side), share, method="inverted_cdf")) if side else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """Variance of one side's log quantile: within its runs, seen in so many blocks, and what runs differ by besides."""

    within: float
    blocks: int
    between: float


def _error(sides: Sequence[_Spread], *, runs: int) -> tuple[float, float]:
    """Standard error of the log ratio, and its degrees of freedom (Satterthwaite)."""
    parts = [(side.within, side.blocks - 1) for side in sides]
    parts.append((sum(side.between for side in sides), runs - len(sides)))
    total = sum(variance for variance, _ in parts)
    doubt = sum(variance**2 / max(1, freedom) for variance, freedom in parts if variance)
    return math.sqrt(total), total**2 / doubt if doubt > 0 else 1.0


def _spread(side: Sequence[Values], share: float, random: np.random.Generator) -> _Spread:
    import numpy as np  # noqa: PLC0415

    cut = [(run, block_length(run > _quantile(side, share))) for run in side]
    within = _variance(_resampled(cut, share, random))
    count = sum(math.ceil(len(run) / block) for run, block in cut)
    each = np.array([_quantile([run], share) for run in side])
    apart = _variance(each) / len(each) if len(each) > 1 else 0.0
    return _Spread(within=within, blocks=count, between=max(0.0, apart - within))


def _variance(quantiles: NDArray[np.float64]) -> float:
    """Of their logarithms; infinite when one of them is."""
    import numpy as np  # noqa: PLC0415

    usable = np.isfinite(quantiles).all() and (quantiles > 0).all()
    return float(np.var(np.log(quantiles), ddof=1)) if usable else math.inf


def _resampled(cut: Sequence[tuple[Values, int]], share: float, random: np.random.Generator) -> NDArray[np.float64]:
    """The quantile of RESAMPLES sides like this one, made of blocks of its runs, each run with its length of a block.

    A resample is how often each request is in it, so that values are sorted once and not once a resample.
    """
    import numpy as np  # noqa: PLC0415

    values = np.concatenate([run for run, _ in cut])
    order = np.argsort(values)
    ranked = values[order]
    draws = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        times = np.concatenate([_times(len(run), block, random) for run, block in cut])
        reached = times[order].cumsum()
        draws[number] = ranked[reached.searchsorted(math.ceil(share * reached[-1] - 1e-9))]
    return draws


def _times(size: int, block: int, random: np.random.Generator) -> NDArray[np.int64]:
    """How often each of `size` requests is drawn, in blocks that begin anywhere and go round the end."""
    import numpy as np  # noqa: PLC0415

    starts = random.integers(0, size, math.ceil(size / block))
    begin, end = (np.bincount(edges, minlength=2 * size) for edges in (starts, starts + block))
    return np.asarray((begin - end).cumsum().reshape(2, size).sum(axis=0))


def block_length(beyond: NDArray[np.bool_]) -> int:
    """Requests in a block, for a run of which `beyond` says whether each lay beyond the quantile; at least cbrt(n)."""
    return flat_top(autocorrelations(beyond), len(beyond))


def autocorrelations(series: NDArray[np.bool_]) -> NDArray[np.float64]:
    """From lag 1 on, as far as a block could reach: an eighth of the series, and no further than 5 * sqrt(n)."""
    import numpy as np  # noqa: PLC0415

    off = series - series.mean()
    size, power = len(off), float(off @ off)
    lags = min(size // 8, 5 * math.ceil(math.sqrt(size)))
    if not power:
        return np.zeros(lags)
    whole = np.fft.irfft(np.abs(np.fft.rfft(off, 2 * size)) ** 2)
    return np.asarray(whole[1 : lags + 1] / power)


def flat_top(correlations: NDArray[np.float64], size: int) -> int:
    """Length of the blocks for a series of `size` values with these correlations, from lag 1 on."""
    import numpy as np  # noqa: PLC0415

    least, most = math.ceil(math.cbrt(size)), max(1, size // 8)
    memory = _memory(correlations, size)
    if not memory:
        return min(least, most)
    lags = np.arange(1, len(correlations) + 1)
    window = np.clip(2 * (1 - lags / (2 * memory)), 0, 1)
    spread = 1 + 2 * float((window * correlations).sum())
    slope = 2 * float((window * lags * correlations).sum())
    wanted = math.cbrt(1.5 * (slope / spread) ** 2 * size) if spread > 0 else most
    return min(max(least, math.ceil(wanted)), most)


def _memory(correlations: NDArray[np.float64], size: int) -> int:
    """The last lag before the correlations stay insignificant for a while; 0 when they do from the start."""
    limit = _SIGNIFICANT * math.sqrt(math.log10(size) / size)
    run = 0
    for lag, value in enumerate(correlations, start=1):
        run = run + 1 if abs(value) < limit else 0
        if run == _QUIET:
            return lag - _QUIET
    return len(correlations)
