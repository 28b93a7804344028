"""Blocks of time as units of evidence, so that a burst of bad requests counts once and not once per request.

Two tools. The design effect says how much less n dependent requests tell than n independent ones: n_eff = n / deff.
The betting bounds take the share of bad requests in each block as one observation between 0 and 1, of which nothing
else is assumed: a block may be all bad. That is what makes them honest about bursts, and dear: without one bad request
they need about 3.7 / limit blocks, however many requests a block holds.

A bound rejects a mean m when a player who bets against it has grown a capital of 1 to 1 / alpha: fair bets do so with
probability at most alpha (Ville), however often one looks. The capital is the average over a few constant fractions
that are put at stake on each block, so no fraction has to be guessed and, at the end, the order of the blocks does not
matter. Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86(1), 2024: the
capital process of section 4, betting on a grid as in their appendix B.

What is assumed of the blocks: given all earlier ones, each has the same expected share of bad requests. So a block
must last much longer than a burst (look at `autocorrelation`). Unequal blocks: a block with half the requests of the
largest one is bet on with half the stake, so that the bound speaks of bad requests per request and not per block. That
needs sizes that do not depend on the outcomes: true for an open-loop schedule, false for clients that wait for answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from holdfast.stats.binomial import ALPHA, check_alpha, check_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

FEWEST_BLOCKS: Final = 20
"""Blocks with requests in them below which nothing is said about bursts."""

STAKES: Final = {
    "good": ((0.95, 0.6), (0.6, 0.2), (0.3, 0.1), (0.1, 0.1)),
    "bad": tuple((stake, 1 / 8) for stake in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9)),
}
"""(share of the capital that the worst block would take, share of the first capital bet so), against each side.

A rare mean is best refuted from above with nearly everything at stake; from below the best stake spans decades.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Bad and all events in successive spans of `seconds`; a span without events is kept with zeros."""

    seconds: float
    bad: tuple[int, ...]
    total: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Events in each block that has any."""
        return tuple(total for total in self.total if total)

    @property
    def fractions(self) -> tuple[float, ...]:
        """Share of bad events in each block that has any."""
        return tuple(bad / total for bad, total in zip(self.bad, self.total, strict=True) if total)


def blocks_of(times: Sequence[float], bad: Sequence[bool], seconds: float, start: float = 0.0) -> Blocks:
    """Cut events at `times` (seconds, any order) into blocks of `seconds`, the first of which begins at `start`.

    Raises:
        ValueError: unequal lengths, `seconds` is not positive, or a time is not finite or before `start`.
    """
    if len(times) != len(bad):
        raise ValueError(f"{len(times)} times and {len(bad)} outcomes do not belong together")
    if not 0 < seconds < math.inf:
        raise ValueError(f"a block must last a positive number of seconds, got {seconds}")
    if not all(start <= time < math.inf for time in times):
        raise ValueError(f"every event needs a finite time, not before {start}")
    places = [int((time - start) // seconds) for time in times]
    counts = [[0, 0] for _ in range(max(places, default=-1) + 1)]
    for place, flag in zip(places, bad, strict=True):
        counts[place][0] += bool(flag)
        counts[place][1] += 1
    return Blocks(seconds=seconds, bad=tuple(b for b, _ in counts), total=tuple(n for _, n in counts))


def autocorrelation(values: Sequence[float], lags: int) -> tuple[float, ...] | None:
    """Correlation of the series with itself 1 to `lags` places later; None for a series that never changes.

    Box and Jenkins' estimator, which divides by the whole sum of squares. It is biased towards 0 in short series.

    Raises:
        ValueError: `lags` is not between 0 and the length less one.
    """
    if not 0 <= lags < max(1, len(values)):
        raise ValueError(f"{len(values)} values have no {lags} lags")
    mean = math.fsum(values) / max(1, len(values))
    off = [value - mean for value in values]
    squares = math.fsum(one * one for one in off)
    if len(set(values)) <= 1:
        return None
    return tuple(math.fsum(a * b for a, b in zip(off, off[lag:], strict=False)) / squares for lag in range(1, lags + 1))


def design_effect(blocks: Blocks) -> float | None:
    """How many dependent events tell as much as one independent one; at least 1.

    The variance of the blocks' bad counts over what independent events would give (the ratio estimator of Kish,
    "Survey Sampling", 1965, section 6.3), times 1 + 2 * sum of the correlations between blocks, up to the first that
    chance explains. None when it cannot be seen: blocks under FEWEST_BLOCKS, or events that were all good or all bad.
    """
    sizes, bad, n = blocks.sizes, sum(blocks.bad), sum(blocks.total)
    if len(sizes) < FEWEST_BLOCKS or bad in {0, n}:
        return None
    ratio = bad / n
    squares = math.fsum((b - ratio * size) ** 2 for b, size in zip(blocks.bad, blocks.total, strict=True))
    between = squares / (n * ratio * (1 - ratio)) * len(sizes) / (len(sizes) - 1)
    noise, inflation = 1.645 / math.sqrt(len(sizes)), 1.0
    for correlation in autocorrelation(blocks.fractions, len(sizes) // 4) or ():
        if correlation < noise:
            break
        inflation += 2 * correlation
    return max(1.0, between * inflation)


def effective_total(blocks: Blocks) -> float | None:
    """Number of independent events that would tell as much, n / deff; None where the design effect is None."""
    effect = design_effect(blocks)
    return None if effect is None else sum(blocks.total) / effect


def log_capital_path(
    fractions: ArrayLike, mean: float, side: Literal["good", "bad"], sizes: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Logarithm of the capital after each block of a player who bets that the true mean is not `mean`.

    "good" bets that it is smaller, "bad" that it is larger. The last axis of `fractions` is time; others are runs.

    Raises:
        ValueError: `mean` does not lie between 0 and 1, or a fraction is outside them.
    """
    import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

    shares = np.asarray(fractions, dtype=np.float64)
    if not 0 < mean < 1:
        raise ValueError(f"a mean to bet against must lie between 0 and 1, got {mean}")
    if not bool(np.all((shares >= 0) & (shares <= 1))):
        raise ValueError("each block's fraction must lie between 0 and 1")
    weight = _weight(shares.shape[-1], sizes)
    gains = weight * ((mean - shares) / (1 - mean) if side == "good" else (shares - mean) / mean)
    capital = np.full(shares.shape, -np.inf)
    for stake, part in STAKES[side]:
        np.logaddexp(capital, np.cumsum(np.log1p(stake * gains), axis=-1) + math.log(part), out=capital)
    return capital


def mean_upper_bound(blocks: Blocks, alpha: float = ALPHA) -> float | None:
    """Largest mean share of bad events that the blocks do not exclude at level `alpha`; None under FEWEST_BLOCKS.

    Raises:
        ValueError: `alpha` does not lie between 0 and 1, or a block holds more bad events than events.
    """
    return _bound(blocks, "good", alpha)


def mean_lower_bound(blocks: Blocks, alpha: float = ALPHA) -> float | None:
    """Smallest mean share of bad events that the blocks do not exclude at level `alpha`; None under FEWEST_BLOCKS.

    Raises:
        ValueError: as `mean_upper_bound`.
    """
    return _bound(blocks, "bad", alpha)


def _bound(blocks: Blocks, side: Literal["good", "bad"], alpha: float) -> float | None:
    check_alpha(alpha)
    for bad, total in zip(blocks.bad, blocks.total, strict=True):
        check_counts(bad, total)
    if len(blocks.sizes) < FEWEST_BLOCKS:
        return None
    # The capital against m grows with the distance from the blocks' mean, so the means not excluded are an interval.
    kept, refuted = (0.0, 1.0) if side == "good" else (1.0, 0.0)
    for _ in range(50):
        middle = (kept + refuted) / 2
        capital = float(log_capital_path(blocks.fractions, middle, side, blocks.sizes)[-1])
        kept, refuted = (kept, middle) if capital >= -math.log(alpha) else (middle, refuted)
    return refuted


def _weight(length: int, sizes: ArrayLike | None) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415

    if sizes is None:
        return np.ones(length)
    counts = np.asarray(sizes, dtype=np.float64)
    if counts.shape[-1] != length or not bool(np.all(counts > 0)):
        raise ValueError("each block needs a size of its own, at least one event")
    return np.asarray(counts / counts.max())
