"""The native alert rules played over simulated traffic: events by chance, counts of five minutes, sums of those.

One column is one evaluation. A record is the number of events since `overlap` evaluations ago; a window is the sum of
all records made in it, as sum_over_time gives it; an alert needs both windows over the threshold and enough bad events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from holdfast.slo.feasible.detect import Watch


def summed(columns: NDArray, width: int) -> NDArray:
    """The sum of the last `width` columns, at every column."""
    total = np.cumsum(columns, axis=1)
    total[:, width:] = total[:, width:] - total[:, :-width].copy()
    return total


def firing(watch: Watch, bad: NDArray, total: NDArray) -> NDArray:
    """At which evaluations the tier fires: sli_bad and sli_total summed over both windows, sharply over the record."""
    records = [summed(one, watch.overlap) for one in (bad, total)]
    fires = np.ones(bad.shape, dtype=bool)
    for window in (watch.short, watch.long):
        steps = round(window / watch.every)
        sums = records if window <= watch.record else [summed(one, steps) for one in records]
        fires &= sums[0] > watch.threshold * sums[1]
    return fires & (sums[0] / watch.overlap > watch.enough)


def waits(watch: Watch, rate: float, errors: float, *, runs: int, seed: int, windows: float = 6.0) -> NDArray:
    """Seconds until the tier fires in each run, whose errors begin after a long window without any; inf for never."""
    random = np.random.default_rng(seed)
    before, after = round((watch.long + watch.record) / watch.every), round(windows * watch.long / watch.every)
    bad = random.poisson(rate * errors * watch.every, (runs, before + after)).astype(np.int32)
    bad[:, :before] = 0
    good = random.poisson(rate * (1 - errors) * watch.every, (runs, before + after)).astype(np.int32)
    good[:, :before] = random.poisson(rate * watch.every, (runs, before))
    fires = firing(watch, bad, bad + good)[:, before:]
    return np.where(fires.any(axis=1), (fires.argmax(axis=1) + 1) * watch.every, np.inf)


def pages(
    watches: Sequence[Watch], rate: float, errors: float, *, days: float, runs: int, seed: int
) -> tuple[int, float]:
    """How many runs of evaluations fired any of the tiers, and in how many days, of a service that is as ever."""
    random, every = np.random.default_rng(seed), watches[0].every
    before = round((max(one.long for one in watches) + watches[0].record) / every)
    steps, found = round(days * 86400 / every), 0
    for _ in range(runs):
        bad, good = (
            random.poisson(rate * share * every, (1, before + steps)).astype(np.int32) for share in (errors, 1 - errors)
        )
        fires = np.any([firing(one, bad, bad + good) for one in watches], axis=0)[:, before - 1 :]
        found += int((fires[:, 1:] & ~fires[:, :-1]).sum())
    return found, days * runs
