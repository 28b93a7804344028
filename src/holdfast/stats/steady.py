"""When a start-up is over, and whether what follows stands still: where to begin to count, and whether it may be.

Start-up: MSER-5 of White, "An effective truncation heuristic for bias reduction in simulation output", Simulation
69(6), 1997, with batches as in White, Cobb and Spratt, WSC 2000. Of all places to begin it takes the one at which the
mean of the rest has the least standard error: leaving out a start-up makes the rest more even, leaving out more makes
it shorter. It is a rule, fixed before anything was measured; nobody chooses what to leave out by what came out.

Standing still: a straight line through the means of equal stretches of time. Neighbouring stretches of one queue
resemble each other, so the line is believed as if there were fewer of them: m * (1 - r) / (1 + r) for a correlation r
between neighbours (Bayley and Hammersley, "The effective number of independent observations", JRSS supplement 8, 1946).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

BATCH: Final = 5
"""Values in a batch, as White found best."""
STRETCHES: Final = 20
"""Stretches of time that a line is drawn through."""

_FEWEST: Final = 4
"""Stretches that a line and its error need."""
_LEAST_WORTH: Final = 5.0
"""What any line is believed to be worth: below it the correlation itself is guesswork."""
_UNLIKE: Final = 3.0
"""Standard errors by which a start-up differs from what follows."""
_PARTS: Final = 400
"""Parts of a record for its rate: each a small part of a start-up, long enough to hold completions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A line through a series: `slope` per second, its standard error, and the chance `p` of such a rise by chance."""

    slope: float
    error: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Completions per second between `since` and `until`, both in seconds; `settled` is False when no start-up ended.

    Not settled, the rate is that of the latter half.
    """

    rate: float
    since: float
    until: float
    settled: bool


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    """What is missing (None) as NaN."""
    import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

    return np.asarray(values, dtype=np.float64)


def truncation(values: ArrayLike) -> tuple[int, bool]:
    """How many values to leave out at the start, at most half of them; and whether the start-up was seen to end.

    It was not when the best place is the middle, or there are fewer than four batches.

    Raises:
        ValueError: a value is no finite number.
    """
    import numpy as np  # noqa: PLC0415

    series = _numbers(values)
    if not bool(np.all(np.isfinite(series))):
        raise ValueError("every value must be a finite number")
    count = len(series) // BATCH
    if count < _FEWEST:
        return 0, False
    means = series[: count * BATCH].reshape(count, BATCH).mean(axis=1)
    half = count // 2
    best = int(np.argmin(_mser(means)[: half + 1]))
    return best * BATCH, best < half


def _mser(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """White's statistic for each number of batches left out: the squared standard error of the mean of the rest."""
    import numpy as np  # noqa: PLC0415

    left = np.arange(len(means), 0, -1)
    off = means - means.mean()  # sums of squares of large numbers would lose what tells them apart
    sums, squares = (np.cumsum(one[::-1])[::-1] for one in (off, off**2))
    return np.maximum(squares - sums**2 / left, 0.0) / left**2


def start_up(times: ArrayLike, values: ArrayLike) -> tuple[float, bool]:
    """Seconds to leave out at the start of a series in the order of `times`, and whether it was seen to settle.

    MSER-5, but only where what it leaves out is unlike the rest by more than chance: of a queue without a start-up it
    would take away its longest swing.
    """
    at, what = _numbers(times), _numbers(values)
    place, settled = truncation(what)
    # Of what came all at once nothing came first.
    if not place or at[place] <= at.min() or not _unlike(*_stretched(at, what), float(at[place])):
        return 0.0, True
    return float(at[place]), settled


def _unlike(x: NDArray[np.float64], y: NDArray[np.float64], since: float) -> bool:
    """Whether stretches before a moment differ from those after it, whose own swings are the measure."""
    before, after = y[x < since], y[x >= since]
    if not len(before) or len(after) < _FEWEST:
        return False
    off = after - after.mean()
    squares = float(off @ off)
    worth = _worth(off, squares, len(after))
    error = math.sqrt(squares / (len(after) - 1) * (len(after) / worth) * (1 / len(before) + 1 / len(after)))
    return abs(float(before.mean() - after.mean())) > _UNLIKE * error


def trend(times: ArrayLike, values: ArrayLike) -> Trend | None:
    """The line through a series; None when fewer than four of its stretches of time hold any value.

    Times in seconds, in any order and of any length; the values may be of any unit and must be finite.

    Raises:
        ValueError: unequal lengths, or a number that is not finite.
    """
    import numpy as np  # noqa: PLC0415

    at, what = _numbers(times), _numbers(values)
    if len(at) != len(what) or not bool(np.all(np.isfinite(at)) and np.all(np.isfinite(what))):
        raise ValueError("a trend needs as many finite times as finite values")
    if not len(at) or at.max() <= at.min():
        return None
    x, y = _stretched(at, what)
    return _line(x, y) if len(x) >= _FEWEST else None


def _stretched(at: NDArray[np.float64], what: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean time and mean value of each of STRETCHES equal stretches of time that holds any."""
    import numpy as np  # noqa: PLC0415

    place = np.minimum(((at - at.min()) / (at.max() - at.min()) * STRETCHES).astype(np.int64), STRETCHES - 1)
    held = np.bincount(place)
    some = held > 0
    x, y = (np.bincount(place, weights=one)[some] / held[some] for one in (at, what))
    return x, y


def _worth(off: NDArray[np.float64], squares: float, count: int) -> float:
    """How many stretches that have nothing to do with each other would tell as much; `off` is what no line explains."""
    alike = max(0.0, float(off[:-1] @ off[1:]) / squares) if squares > 0 else 0.0
    return max(_LEAST_WORTH, count * (1 - alike) / (1 + alike))


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> Trend:
    from scipy.special import stdtr  # noqa: PLC0415

    across = x - x.mean()
    spread = float(across @ across)
    slope = float(across @ y) / spread
    rest = y - y.mean() - slope * across
    squares = float(rest @ rest)
    worth = _worth(rest, squares, len(x))
    error = math.sqrt(squares / (len(x) - 2) / spread * len(x) / worth)
    if error <= 0:
        return Trend(slope=slope, error=0.0, p=0.0 if slope > 0 else 1.0)
    return Trend(slope=slope, error=error, p=float(stdtr(worth - 2, -slope / error)))


def throughput(sent: ArrayLike, done: ArrayLike) -> Throughput:
    """Completions per second of a load that is held up, without its start-up and without its end.

    The end is where the last request was sent: after it the system drains. `sent` and `done` in seconds; a request that
    never ended is not finite in `done`.

    Raises:
        ValueError: nothing was sent, or all at once.
    """
    import numpy as np  # noqa: PLC0415

    begins, ends = _numbers(sent), _numbers(done)
    if not len(begins) or begins.max() <= begins.min():
        raise ValueError("a rate needs requests sent over some time")
    first, last = float(begins.min()), float(begins.max())
    edges = np.linspace(first, last, min(_PARTS, max(_FEWEST * BATCH, len(begins) // 2)) + 1)
    ended = ends[np.isfinite(ends) & (ends <= last)]
    counts, _ = np.histogram(ended, edges)
    place, settled = truncation(counts)
    since = float(edges[place if settled else len(counts) // 2])
    return Throughput(rate=float((ended > since).sum()) / (last - since), since=since, until=last, settled=settled)
