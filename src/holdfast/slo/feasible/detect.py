"""How long a burn goes on before an alert tier fires: exact for the native rules, evaluation by evaluation.

Where traffic is busy this is the Workbook's (1 - SLO) / error ratio x window x burn rate (Google, "The Site Reliability
Workbook", chapter 5, "Alerting on SLOs"), later by the softness of window edges: a record holds `record` seconds and
is made every `every`, so that an event counts in full in a longer window only once it is `record` old. Where traffic
is low, what is waited for is the n-th bad event.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from holdfast.slo.tiers import MARGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

Numbers: TypeAlias = "NDArray[np.float64]"

_MANY: Final = 60.0
"""Bad events from which their number is normally distributed, near enough."""
_LATE: Final = 0.95
_ATOMS: Final = 41
_NEVER: Final = 1e-12
_HIDDEN: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Two windows (seconds), the error ratio beyond which they fire, and how many bad events must be in the longer.

    `record` is what one recorded count looks back, `every` how often rules are evaluated: both in seconds.
    """

    short: float
    long: float
    threshold: float
    least_bad: int = 1
    record: float = 300.0
    every: float = 60.0

    @property
    def overlap(self) -> int:
        """How many records one event is in."""
        return max(1, round(self.record / self.every))

    @property
    def enough(self) -> float:
        """What the counted bad events must exceed."""
        return self.least_bad - MARGIN

    def needed(self, rate: float) -> int:
        """The least number of bad events that fires, at `rate` events a second: floor(threshold x events) + 1."""
        return max(self.least_bad, math.floor(round(self.threshold * rate * self.long, 9)) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Seconds from the first chance of an error to the alert: mean, and what 95 % of burns stay under."""

    mean: float
    late: float


def steady_wait(watch: Watch, errors: float) -> float | None:
    """Seconds until the tier fires under even traffic; None where it never does. `errors` is a share of one.

    Counted in whole evaluations n: errors x (w1 + ... + wn) > threshold x window, where w is how much of an event of
    that age is in the sum.
    """
    if errors <= watch.threshold:
        return None
    seen = errors * np.cumsum(_weights(watch)) / round(watch.long / watch.every)
    fired = int(np.argmax(seen > watch.threshold + 1e-12))
    return (fired + 1) * watch.every if seen[fired] > watch.threshold else watch.long + watch.record


def wait(watch: Watch, rate: float, errors: float) -> Wait | None:
    """Mean and 95 % quantile of the wait when events come by chance (Poisson), `rate` a second; None as above.

    S(n), the chance of no alert after n evaluations, is P(bad <= what is needed) for n up to the long window: bad is
    a compound Poisson number, of weights 1/5 ... 1, and what is needed goes with the good events still in the window.
    Later, S falls by what a scan statistic says for each window (Naus, JASA 77, 1982).
    """
    if errors <= watch.threshold or rate <= 0:
        return None
    silent = _silent(watch, rate, errors)
    after = _scan(watch, rate, errors)
    kept = silent[-1]
    mean = watch.every * float(silent.sum() - kept) + float(kept) * watch.long * _tail(after)
    return Wait(mean=mean, late=_quantile(watch, silent, after)) if math.isfinite(mean) else None


def reset(watch: Watch, errors: float) -> float:
    """Seconds after the end of a long burn until the short window is below the threshold again, under even traffic."""
    if watch.short <= watch.record:
        return math.ceil(round(watch.short / watch.every * (1 - watch.threshold / errors), 9)) * watch.every
    weights = _weights(watch)
    total = round(watch.short / watch.every)
    left = errors * (total - np.cumsum(weights)) / total
    return (int(np.argmax(left <= watch.threshold)) + 1) * watch.every


def _weights(watch: Watch) -> Numbers:
    """How much of an event counts in a longer window at the first evaluation after it, at the second, ..."""
    steps = round((watch.long + watch.record) / watch.every)
    return np.minimum(np.arange(1, steps + 1) / watch.overlap, 1.0)


def _silent(watch: Watch, rate: float, errors: float) -> Numbers:
    """S(0), S(1), ... up to the long window's length."""
    steps = round(watch.long / watch.every)
    seen = np.cumsum(_weights(watch)[:steps])
    good = rate * watch.every * np.maximum(steps - errors * seen, 0.0)
    spread = np.linspace(-3.0, 3.0, _ATOMS)
    share = np.exp(-(spread**2) / 2)
    share /= share.sum()
    odds = watch.threshold / (1 - watch.threshold)
    # Rows are evaluations, columns possible numbers of good events around their mean.
    limit = np.maximum(watch.enough, odds * np.maximum(good[:, None] + np.sqrt(good)[:, None] * spread, 0.0))
    chance = rate * errors * watch.every
    if limit.mean() > _MANY:
        silent = _below_normal(watch, chance, limit) @ share
    else:
        silent = falling(_exact_law(watch, chance, limit, share), steps)
    return np.concatenate([[1.0], np.minimum.accumulate(np.clip(silent, 0.0, 1.0))])


def falling(law: Callable[[int], float], steps: int) -> Numbers:
    """A law that falls, at 0, 1, ... `steps` - 1: asked where it falls, and along lines between.

    What it asks last is where it passes 5 %, so that the 95 % quantile is exact. A gap between two numbers asked hides
    less than its fall times its width; the one that may hide most is halved, until all of them together hide less than
    a two-hundredth of the sum. The sum along lines is then right to 5e-4, and where the law falls evenly to 1e-4.
    """
    known = {0: law(0), steps - 1: law(steps - 1)}
    gaps = [_gap(known, 0, steps - 1)]
    hidden, total = -gaps[0][0], 1.0 + (known[0] + known[steps - 1]) * steps / 2
    while hidden > _HIDDEN * total:
        worth, left, right = heappop(gaps)
        middle = (left + right) // 2
        known[middle] = law(middle)
        halves = _gap(known, left, middle), _gap(known, middle, right)
        for half in halves:
            heappush(gaps, half)
        hidden += worth - halves[0][0] - halves[1][0]
        total += _area(known, left, middle) + _area(known, middle, right) - _area(known, left, right)
    _pass(known, law, 1 - _LATE)
    asked = sorted(known)
    found: Numbers = np.interp(np.arange(steps), asked, [known[one] for one in asked])
    return found


def _gap(known: Mapping[int, float], left: int, right: int) -> tuple[float, int, int]:
    """What may be hidden between two numbers asked (negative, so that the most is first of a heap), and those two."""
    return -max(0.0, known[left] - known[right]) * (right - left - 1), left, right


def _area(known: Mapping[int, float], left: int, right: int) -> float:
    return (known[left] + known[right]) * (right - left) / 2


def _pass(known: dict[int, float], law: Callable[[int], float], value: float) -> None:
    """Ask on until it is known at which number the law first has no more than a value."""
    right = min((one for one in known if known[one] <= value), default=0)
    left = max((one for one in known if one < right), default=0)
    while right - left > 1:
        middle = (left + right) // 2
        known[middle] = law(middle)
        left, right = (left, middle) if known[middle] <= value else (middle, right)


def _exact_law(watch: Watch, chance: float, limit: Numbers, share: Numbers) -> Callable[[int], float]:
    """P(weighted bad events <= limit) at one evaluation: the compound Poisson law by its characteristic function.

    Each row of `limit` has possible limits, whose chances are `share`.
    """
    parts, steps = watch.overlap, limit.shape[0]
    expected = chance * np.cumsum(_weights(watch)[:steps])
    # Far above every limit there is no chance left, and the sum would wrap around the transform's end.
    highest = float(limit.max())
    top = min(float(expected[-1]), highest + 2 * _MANY)
    size = 1 << math.ceil(math.log2(parts * (max(top, highest) + 10 * math.sqrt(top) + 20)))
    turn = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    powers = turn[None, :] ** np.arange(1, parts + 1)[:, None] - 1
    grown = np.cumsum(powers, axis=0)

    def law(step: int) -> float:
        if expected[step] > top:
            return 0.0
        exponent = grown[min(step, parts - 1)] + max(0, step + 1 - parts) * powers[-1]
        cumulated = np.cumsum(np.fft.irfft(np.exp(chance * exponent), size))
        return float(cumulated[np.floor(limit[step] * parts + 1e-9).astype(int)] @ share)

    return law


def _below_normal(watch: Watch, chance: float, limit: Numbers) -> Numbers:
    from scipy.special import ndtr  # noqa: PLC0415 - imported where it is needed

    weights = _weights(watch)[: limit.shape[0]]
    mean, spread = chance * np.cumsum(weights), np.sqrt(chance * np.cumsum(weights**2))
    result: Numbers = ndtr((limit - mean[:, None]) / spread[:, None])
    return result


def _scan(watch: Watch, rate: float, errors: float) -> tuple[float, float]:
    """What remains of S after the second window, and after each later one, as shares.

    Of very many bad events a window has enough or not, whatever the one before had.
    """
    from scipy.special import pdtr  # noqa: PLC0415 - imported where it is needed

    events, bad = rate * watch.long, rate * errors * watch.long
    lowest, highest = (max(0.0, events + side * 4 * math.sqrt(events)) for side in (-1, 1))
    second = later = weight = 0.0
    for number in np.unique(np.linspace(lowest, highest, _ATOMS).round()):
        share = math.exp(-((number - events) ** 2) / (2 * events))
        needed = max(watch.least_bad, math.floor(watch.threshold * number) + 1)
        one = float(pdtr(needed - 1, bad))
        if needed > _MANY:
            second, later = second + share * one, later + share * one
        elif one > _NEVER:
            two, three = _naus(needed, bad)
            second += share * min(1.0, two / one)
            later += share * (min(1.0, three / two) if two > _NEVER else 0.0)
        weight += share
    return second / weight, later / weight


def _naus(k: int, mean: float) -> tuple[float, float]:
    """P(no k events within one window) over two windows and over three: Naus 1982, theorem 1, for Poisson events."""
    from scipy.special import pdtr  # noqa: PLC0415 - imported where it is needed

    def p(n: int) -> float:
        return math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) if n >= 0 else 0.0

    def upto(n: int) -> float:
        return float(pdtr(n, mean)) if n >= 0 else 0.0

    two = upto(k - 1) ** 2 - (k - 1) * p(k) * p(k - 2) - (k - 1 - mean) * p(k) * upto(k - 3)
    a1 = 2 * p(k) * upto(k - 1) * ((k - 1) * upto(k - 2) - mean * upto(k - 3))
    inner = (k - 1) * (k - 2) * upto(k - 3) - 2 * (k - 2) * mean * upto(k - 4) + mean**2 * upto(k - 5)
    a2 = 0.5 * p(k) ** 2 * inner
    a3 = sum(p(2 * k - r) * upto(r - 1) ** 2 for r in range(1, k))
    a4 = sum(p(2 * k - r) * p(r) * ((r - 1) * upto(r - 2) - mean * upto(r - 3)) for r in range(2, k))
    return max(0.0, two), max(0.0, upto(k - 1) ** 3 - a1 + a2 + a3 - a4)


def _tail(after: tuple[float, float]) -> float:
    """The mean of what is left to wait at the end of the long window, in windows: S falls evenly within each."""
    second, later = after
    return _mean_of(second) + second * (_mean_of(later) / (1 - later) if later < 1 else math.inf)


def _mean_of(kept: float) -> float:
    """The mean of S over a window in which it falls to a share, exponentially."""
    return (1 - kept) / -math.log(kept) if 0 < kept < 1 else kept


def _quantile(watch: Watch, silent: Numbers, after: tuple[float, float]) -> float:
    if silent[-1] <= 1 - _LATE:
        return int(np.argmax(silent <= 1 - _LATE)) * watch.every
    second, later = after
    left = math.log((1 - _LATE) / silent[-1])
    if second <= 0 or left >= math.log(second):
        return watch.long * (1 + (left / math.log(second) if second > 0 else 0.0))
    if later >= 1:
        return math.inf
    return watch.long * (2 + ((left - math.log(second)) / math.log(later) if later > 0 else 0.0))
