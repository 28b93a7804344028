"""When a budget will be gone if the days to come are like the days that were: a block bootstrap of daily spend.

Whole days are drawn with replacement in blocks of neighbours, since a bad day is seldom alone: Künsch, "The jackknife
and the bootstrap for general stationary observations" (1989); length n^(1/3), Hall, Horowitz and Jing (1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEAST_DAYS: Final = 7
"""A week, so that each day of it was seen once."""
DRAWS: Final = 4000
BOUNDS: Final = (0.1, 0.5, 0.9)
OVER: Final = "the month is over"
GONE: Final = "the budget is gone"
METHOD: Final = f"block bootstrap of whole days, {DRAWS} draws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What may become of the rest of a month; `why` says why there is none.

    `lasts` is the share of draws in which the budget outlives the month. `soonest`, `middle` and `latest` are the ends
    of the days (Unix seconds) by which it is gone in a tenth, half and nine tenths of the draws, None for "not this
    month". `end_low`, `end_middle` and `end_high` are the shares spent at the month's end in the same draws.
    """

    days: int
    block: int = 0
    lasts: float | None = None
    soonest: float | None = None
    middle: float | None = None
    latest: float | None = None
    end_low: float | None = None
    end_middle: float | None = None
    end_high: float | None = None
    seed: int = 0
    why: str = ""


def forecast(daily: Sequence[float], spent: float, ends: Sequence[float], *, seed: int = 0) -> Forecast:
    """From the shares that whole days spent, the share spent so far, and the ends of the days to come."""
    why = _refused(daily, spent, ends)
    if why:
        return Forecast(days=len(daily), seed=seed, why=why)
    block = max(1, round(len(daily) ** (1 / 3)))
    paths = spent + np.cumsum(_drawn(np.asarray(daily), len(ends), block, seed), axis=1)
    gone = paths >= 1
    # The place of the first day that ends without budget; one beyond the last for "not this month".
    first = np.where(gone.any(axis=1), gone.argmax(axis=1), len(ends))
    dates = [None if place >= len(ends) else ends[int(place)] for place in _quantiles(first)]
    low, middle, high = (float(one) for one in np.quantile(paths[:, -1], BOUNDS))
    return Forecast(
        days=len(daily),
        block=block,
        lasts=float((first == len(ends)).mean()),
        soonest=dates[0],
        middle=dates[1],
        latest=dates[2],
        end_low=low,
        end_middle=middle,
        end_high=high,
        seed=seed,
    )


def _refused(daily: Sequence[float], spent: float, ends: Sequence[float]) -> str:
    if not ends:
        return OVER
    if not np.isfinite(spent):
        return "there is no budget to spend: no event was seen"
    if spent >= 1:
        return GONE
    if len(daily) < LEAST_DAYS:
        return f"too few whole days: {len(daily)} of the {LEAST_DAYS} that it takes"
    return ""


def _drawn(daily: NDArray[np.float64], days: int, block: int, seed: int) -> NDArray[np.float64]:
    """DRAWS rows of `days` days each; a block that runs over the last day goes on with the first."""
    random = np.random.default_rng(seed)
    starts = random.integers(0, len(daily), size=(DRAWS, -(-days // block)))
    places = (starts[:, :, None] + np.arange(block)) % len(daily)
    drawn: NDArray[np.float64] = daily[places.reshape(DRAWS, -1)[:, :days]]
    return drawn


def _quantiles(first: NDArray[np.int64]) -> NDArray[np.int64]:
    # The smallest day by which at least that share of draws is without budget.
    return np.quantile(first, BOUNDS, method="inverted_cdf").astype(np.int64)
