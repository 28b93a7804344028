"""Blocks of time as units of evidence, so that a burst of bad requests counts once and not once per request.

The betting bounds take the share of bad requests in each block as one observation between 0 and 1, of which nothing
else is assumed: a block may be all bad. That is what makes them honest about bursts, and dear: without one bad request
they need about 3.7 / limit blocks, however many requests a block holds. `holdfast.stats.dependence` is cheaper and
assumes more.

A bound rejects a mean m when a player who bets against it has grown a capital of 1 to 1 / alpha: fair bets do so with
probability at most alpha (Ville), however often one looks. The capital is the average over a few constant fractions
that are put at stake on each block, so no fraction has to be guessed and, at the end, the order of the blocks does not
matter. Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86(1), 2024: the
capital process of section 4, betting on a grid as in their appendix B.

What is assumed of the blocks: given all earlier ones, each has the same expected share of bad requests. So a block
must last much longer than a burst. Unequal blocks: a block with half the requests of the largest one is bet on with
half the stake, so that the bound speaks of bad requests per request and not per block. That needs sizes that do not
depend on the outcomes: true for an open-loop schedule, false for clients that wait for answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from holdfast.stats.binomial import ALPHA, check_alpha, check_counts

if TYPE_CHECKING:
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


def blocks_of(times: ArrayLike, bad: ArrayLike, seconds: float, start: float = 0.0) -> Blocks:
    """Cut events at `times` (seconds, any order) into blocks of `seconds`, the first of which begins at `start`.

    Raises:
        ValueError: unequal lengths, `seconds` is not positive, or a time is not finite or before `start`.
    """
    import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

    since, flags = np.asarray(times, dtype=np.float64) - start, np.asarray(bad, dtype=np.float64)
    if len(since) != len(flags):
        raise ValueError(f"{len(since)} times and {len(flags)} outcomes do not belong together")
    if not 0 < seconds < math.inf:
        raise ValueError(f"a block must last a positive number of seconds, got {seconds}")
    if not bool(np.all((since >= 0) & (since < math.inf))):
        raise ValueError(f"every event needs a finite time, not before {start}")
    places = (since // seconds).astype(np.int64)
    return Blocks(
        seconds=seconds,
        bad=tuple(np.bincount(places, weights=flags).astype(np.int64).tolist()),
        total=tuple(np.bincount(places).tolist()),
    )


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
