"""How much company bad requests keep: n requests that fail together tell as much as n / deff that fail alone.

The design effect deff is seen in blocks of time: the variance of the blocks' bad counts over what independent requests
would give (the ratio estimator of Kish, "Survey Sampling", 1965, section 6.3), times 1 + 2 * sum of the correlations
between blocks, up to the first that chance explains. Bounds then treat `bad / deff` of `total / deff` as a binomial
count: Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated
from survey data", Survey Methodology 24(2), 1998.

A run with few bad requests, or none, cannot show in them how they would cluster. Its latencies can: requests that
share a queue, a batch or a sick replica are slow together before they fail together. So the slowest tenth stands in,
and the larger of the two effects counts. What is assumed: failures cluster no more than slowness does, unless the run
shows it. `docs/reference/honesty.md` has the error rates, and what they become where that is not true.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from holdfast.stats.blocks import FEWEST_BLOCKS, blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from holdfast.stats.blocks import Blocks

BLOCK: Final = 1.0
"""Seconds of a block: long beside a token, short beside an incident; longer bursts show as correlation of blocks."""

_NOISE: Final = 1.645
"""Chance takes the correlation of m unrelated blocks beyond this over sqrt(m) once in twenty times."""

_SLOWEST: Final = 0.1


def effect_seen(times: ArrayLike, bad: ArrayLike, latencies: ArrayLike) -> float:
    """The design effect of some requests, at least 1: the larger of what bad ones and what the slowest tenth show.

    `times` in seconds of judged time, not negative; `latencies` in any unit, NaN for an answer that never came. With
    fewer than FEWEST_BLOCKS seconds that hold requests nothing can be seen, so each second counts as one request.

    Raises:
        ValueError: as `blocks_of`.
    """
    blocks = blocks_of(times, bad, BLOCK)
    sizes = blocks.sizes
    if len(sizes) < FEWEST_BLOCKS:
        return max(1.0, sum(sizes) / max(1, len(sizes)))
    return max(design_effect(blocks), design_effect(blocks_of(times, slowest(latencies), BLOCK)))


def slowest(latencies: ArrayLike) -> NDArray[np.bool_]:
    """Which values are among the largest tenth, ties included; NaN is larger than any number."""
    import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

    values = np.nan_to_num(np.asarray(latencies, dtype=np.float64), nan=math.inf, posinf=math.inf)
    if not len(values):
        return np.zeros(0, dtype=bool)
    rank = min(len(values) - 1, math.floor(len(values) * (1 - _SLOWEST)))
    return np.asarray(values >= np.partition(values, rank)[rank])


def design_effect(blocks: Blocks) -> float:
    """How many dependent events tell as much as one independent one; 1 where all are good, all bad, or in one block."""
    import numpy as np  # noqa: PLC0415

    totals = np.asarray(blocks.total, dtype=np.float64)
    bads = np.asarray(blocks.bad, dtype=np.float64)[totals > 0]
    sizes = totals[totals > 0]
    n, bad = sizes.sum(), bads.sum()
    if len(sizes) < 2 or bad in {0, n}:  # noqa: PLR2004 - a variance needs two
        return 1.0
    ratio = bad / n
    between = float(((bads - ratio * sizes) ** 2).sum() / (n * ratio * (1 - ratio))) * len(sizes) / (len(sizes) - 1)
    return max(1.0, between * _inflation(bads / sizes))


def _inflation(fractions: NDArray[np.float64]) -> float:
    noise, inflation = _NOISE / math.sqrt(len(fractions)), 1.0
    for correlation in correlations(fractions):
        if correlation < noise:
            break
        inflation += 2 * correlation
    return inflation


def correlations(values: NDArray[np.float64]) -> Iterator[float]:
    """Correlation of a series with itself 1, 2, ... places later, for up to a quarter of its length.

    Box and Jenkins' estimator, which divides by the whole sum of squares; it is biased towards 0 in short series. A
    series that never changes has none.
    """
    off = values - values.mean() if len(values) else values
    squares = float(off @ off)
    # Rounding leaves a trace of variance in a series of equal numbers.
    if not squares > 1e-18 * len(values):
        return
    for lag in range(1, len(values) // 4 + 1):
        yield float(off[:-lag] @ off[lag:]) / squares
