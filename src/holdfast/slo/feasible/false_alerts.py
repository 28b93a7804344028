"""How often a healthy service pages: how often chance alone carries its windows over their thresholds.

Bad and good events come by chance (Poisson). Every tier's condition only gains by one more bad event and only loses by
one more good one, and events only ever move outwards through the windows. So the alert begins to fire, with sharp
windows that are watched all the time, exactly at the rate

    bad/s x (P(fires | one more bad event now) - P(fires)) + good/s x (P(fires) - P(fires | one more good event now))

since whatever else begins it, an event leaving a window, is balanced by its coming. P is summed over the numbers of
events between the edges of all windows. A run of evaluations that fire is one page.

Two things make the native rules differ, and both are allowed for: they look once every `every` seconds at sums whose
edges are `record` seconds soft, so that good events that come and go at a threshold flicker less (`_seen`), and bad
ones have to lie closer together to be in full in one window (`_narrowed`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from holdfast.slo.feasible.detect import Watch

Numbers: TypeAlias = "NDArray[np.float64]"
Flags: TypeAlias = frozenset[int]

_NEVER: Final = 9.0
"""Standard deviations between what is usual and what fires, beyond which it is never: 1e-19."""
_MOST_CELLS: Final = 400_000
_WIDE: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    """Events a second, and how many of each kind are followed; `fluid` says that good ones come evenly."""

    bad: float
    good: float
    most_bad: int
    most_good: int
    fluid: bool

    @property
    def rate(self) -> float:
        """All events a second."""
        return self.bad + self.good

    def count(self, seconds: float) -> Numbers:
        """Good events in each column, with as many as the mean where they are not chance."""
        return np.array([self.good * seconds]) if self.fluid else np.arange(self.most_good + 1, dtype=float)


def false_alerts(watches: Sequence[Watch], rate: float, errors: float) -> float:
    """How often a second an alert of these tiers begins to fire: `rate` events a second, `errors` a share of one."""
    alive = [one for one in watches if _can(one, rate, errors)]
    if not alive or errors <= 0:
        return 0.0
    world = _world(alive, rate, errors)
    quiet = _fires(alive, world)
    more = world.bad * (_fires(alive, world, bad=1) - quiet)
    if world.fluid:
        return max(0.0, more)
    # One more good event in the long windows alone, then in the short ones as well.
    left = _fires(alive, world, old=1)
    both = _fires(alive, world, good=1)
    record, every = alive[0].record, alive[0].every
    sharp = min(one.short for one in alive) <= record
    less = _seen(world.good * record) * (quiet - left) + _seen(world.good * (every if sharp else record)) * (
        left - both
    )
    return max(0.0, more + world.good * less)


def _seen(mean: float) -> float:
    """The share of all comings and goings of good events that can still be told apart when their sums are compared.

    E|X - Y| / 2 mean for two Poisson numbers of that mean: exp(-2 mean) (I0(2 mean) + I1(2 mean)).
    """
    from scipy.special import ive  # noqa: PLC0415 - imported where it is needed

    return float(ive(0, 2 * mean) + ive(1, 2 * mean))


def _narrowed(watch: Watch, rate: float, window: float) -> float:
    """How close the bad events must be that fire together: less than the window by what the last one still lacks."""
    if window <= watch.record or window == watch.short:
        return window
    wanted = max(watch.enough, watch.threshold * rate * window)
    return window - (watch.record - watch.every) * (wanted - math.ceil(wanted) + 1)


def _can(watch: Watch, rate: float, errors: float) -> bool:
    """Whether chance can carry both windows so far."""
    if watch.threshold >= 1:
        return False
    for window in (watch.short, watch.long):
        events = rate * window
        spread = math.sqrt(events * (errors + watch.threshold**2))
        if events * (watch.threshold - errors) > _NEVER * spread + 1:
            return False
    return True


def _world(watches: Sequence[Watch], rate: float, errors: float) -> _World:
    longest = max(one.long for one in watches)
    bad, good = rate * errors, rate * (1 - errors)
    most_bad, most_good = (
        math.ceil(mean * longest + _WIDE * math.sqrt(mean * longest) + _WIDE) for mean in (bad, good)
    )
    fluid = most_bad * most_good > _MOST_CELLS
    return _World(bad=bad, good=good, most_bad=most_bad, most_good=0 if fluid else most_good, fluid=fluid)


def _fires(watches: Sequence[Watch], world: _World, *, bad: int = 0, good: int = 0, old: int = 0) -> float:
    """The chance that the alert fires, given events that just came: window by window, from the shortest to the longest.

    `old` good events have left the short windows. `held` has, for each set of tiers whose short window is over its
    threshold, the chances of (bad, good) so far.
    """
    begin = np.zeros((world.most_bad + 1, world.most_good + 1))
    begin[bad, good] = 1.0
    held: dict[Flags, Numbers] = {frozenset(): begin}
    fired, before, narrow = 0.0, 0.0, 0.0
    for edge in sorted({window for one in watches for window in (one.short, one.long)}):
        closer = max(narrow, min(_narrowed(one, world.rate, edge) for one in watches if edge in (one.short, one.long)))
        held = {flags: _later(one, world, closer - narrow, edge - before) for flags, one in held.items()}
        before, narrow = edge, closer
        for index, watch in enumerate(watches):
            if watch.short == edge:
                held = _split(held, index, _over(watch, world, edge, 0))
            if watch.long == edge:
                enough = np.arange(world.most_bad + 1)[:, None] >= watch.least_bad
                enough = enough & _over(watch, world, edge, old)
                fired += sum(float(one[enough].sum()) for flags, one in held.items() if index in flags)
                held = _without(held, index, enough)
    return fired


def _over(watch: Watch, world: _World, window: float, more: int) -> NDArray[np.bool_]:
    """For each number of bad and good events, whether the ratio is over the threshold with so many more good ones."""
    bad = np.arange(world.most_bad + 1, dtype=float)[:, None]
    events = bad + world.count(window)[None, :] + more
    over: NDArray[np.bool_] = bad > watch.threshold * events + 1e-12
    return over


def _split(held: dict[Flags, Numbers], index: int, over: NDArray[np.bool_]) -> dict[Flags, Numbers]:
    """Each set once with this tier, where its short window is over, and once without."""
    parts = [(flags | {index}, one * over) for flags, one in held.items()]
    return dict([*parts, *((flags, one * ~over) for flags, one in held.items())])


def _without(held: dict[Flags, Numbers], index: int, fired: NDArray[np.bool_]) -> dict[Flags, Numbers]:
    """What has not fired, and no longer remembers this tier."""
    rest: dict[Flags, Numbers] = {}
    for flags, one in held.items():
        left = one * ~fired if index in flags else one
        rest[flags - {index}] = rest.get(flags - {index}, 0.0) + left
    return rest


def _later(chances: Numbers, world: _World, bad: float, good: float) -> Numbers:
    """The chances with the bad and the good events of so many seconds more."""
    more = _convolved(chances, _poisson(world.bad * bad, world.most_bad), 0)
    return more if world.fluid else _convolved(more, _poisson(world.good * good, world.most_good), 1)


def _poisson(mean: float, most: int) -> Numbers:
    from scipy.special import gammaln  # noqa: PLC0415 - imported where it is needed

    numbers = np.arange(most + 1)
    if mean <= 0:
        return np.where(numbers == 0, 1.0, 0.0)
    chances: Numbers = np.exp(numbers * math.log(mean) - mean - gammaln(numbers + 1))
    return chances


def _convolved(chances: Numbers, added: Numbers, axis: int) -> Numbers:
    size = 1 << math.ceil(math.log2(2 * chances.shape[axis]))
    shape = [1, 1]
    shape[axis] = -1
    product = np.fft.rfft(chances, size, axis=axis) * np.fft.rfft(added, size).reshape(shape)
    whole = np.fft.irfft(product, size, axis=axis)
    kept: Numbers = np.maximum(whole.take(range(chances.shape[axis]), axis=axis), 0.0)
    return kept
