"""What a verdict of ours says of thousands of simulated runs at once: the product's rule, written for arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv

from holdfast import stats

if TYPE_CHECKING:
    from honest_worlds import Cell, Sample

PASS, UNKNOWN, FAIL = 1, 0, -1
LOOKS = 1.1
"""Between two looks of an early stop the record grows by this factor: it must be affordable 4,000 times over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Per run: the answer, and the requests it took (those of the whole run for no answer)."""

    said: np.ndarray
    after: np.ndarray


def effects(flags: np.ndarray, second: int) -> np.ndarray:
    """`stats.design_effect` of each row, a second being `second` flags; a last second that is not whole is left out."""
    runs, blocks = len(flags), flags.shape[1] // second
    bad = flags[:, : blocks * second].reshape(runs, blocks, second).sum(axis=2).astype(float)
    n, total = blocks * second, bad.sum(axis=1)
    ratio = total / n
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = ((bad - ratio[:, None] * second) ** 2).sum(axis=1)
        between = spread / (n * ratio * (1 - ratio)) * blocks / (blocks - 1)
        off = bad - bad.mean(axis=1, keepdims=True)
        squares, inflation, alive = (off**2).sum(axis=1), np.ones(runs), np.ones(runs, dtype=bool)
        for lag in range(1, blocks // 4 + 1):
            correlation = (off[:, :-lag] * off[:, lag:]).sum(axis=1) / squares
            alive &= correlation >= 1.645 / math.sqrt(blocks)
            if not alive.any():
                break
            inflation += np.where(alive, 2 * correlation, 0)
    return np.where((total == 0) | (total == n), 1.0, np.maximum(1, between * inflation))


def company(mine: Sample, rows: np.ndarray, n: int, second: int) -> np.ndarray:
    """`stats.effect_seen` of the first `n` requests of some rows."""
    bad, slow = mine.bad[rows, :n], mine.slow[rows, :n]
    rank = math.floor(n * 0.9)
    slowest = slow >= np.partition(slow, rank, axis=1)[:, rank, None]
    return np.maximum(effects(bad, second), effects(slowest, second))


def verdict(mine: Sample, _: Sample, cell: Cell) -> Answers:
    """What an `slo` verdict says at the planned end: PASS by effective counts, FAIL by plain ones."""
    n, bad = cell.horizon, mine.bad.sum(axis=1)
    effect = company(mine, np.arange(len(bad)), n, cell.second)
    upper = betaincinv(bad / effect + 1, (n - bad) / effect, 1 - cell.alpha)
    lower = np.where(bad > 0, betaincinv(np.maximum(bad, 1), n - bad + 1, cell.alpha), 0)
    said = np.where(upper <= cell.limit, PASS, np.where(lower > cell.limit, FAIL, UNKNOWN))
    return Answers(said=said, after=np.full(len(bad), n))


def early(mine: Sample, _: Sample, cell: Cell) -> Answers:
    """What it says with `stop: early`: the e-process of effective counts, asked again and again from 20 s on."""
    runs, n = len(mine.bad), 20 * cell.second
    said, after = np.zeros(runs, dtype=int), np.full(runs, cell.horizon)
    going = np.arange(runs)
    while len(going):
        bad = mine.bad[going, :n].sum(axis=1)
        enough = -math.log(cell.alpha) * company(mine, going, n, cell.second)
        good = log_e(bad, n, cell.limit, stats.GOOD_RATIOS) >= enough
        ill = log_e(bad, n, cell.limit, stats.bad_ratios(cell.limit)) >= enough
        said[going] = np.where(good, PASS, np.where(ill, FAIL, UNKNOWN))
        after[going[good | ill]] = n
        going = going[~(good | ill)] if n < cell.horizon else going[:0]
        n = min(cell.horizon, math.ceil(n * LOOKS))
    return Answers(said=said, after=after)


def log_e(bad: np.ndarray, n: int, limit: float, ratios: tuple[float, ...]) -> np.ndarray:
    """`stats.log_e` of many counts at once."""
    counts, place = np.unique(bad, return_inverse=True)
    return np.array([stats.log_e(int(one), n, limit, ratios) for one in counts])[place]
