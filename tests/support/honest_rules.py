"""Rules that answer PASS, FAIL or UNKNOWN, each applied to the same simulated runs, and how often each is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from holdfast import stats
from honest_verdict import FAIL, PASS, UNKNOWN, Answers, early, verdict
from honest_worlds import Cell, Sample, cells, sample, short_cells, strict_cells

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 100
WINDOWS = 10
POINTS = 60
HEALTHY = 0.5
"""Kayenta compares with a baseline: a service of the same kind that spends half of what the limit allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one rule did in one cell; `median` requests to an answer, infinite when most runs end without one."""

    cell: Cell
    rule: str
    runs: int
    passed: int
    failed: int
    median: float

    @property
    def false_pass(self) -> float | None:
        """Share of runs; None where PASS is true. At exactly the limit each answer counts as false."""
        return self.passed / self.runs if self.cell.times >= 1 else None

    @property
    def false_fail(self) -> float | None:
        return self.failed / self.runs if self.cell.times <= 1 else None

    @property
    def unknown(self) -> float:
        return 1 - (self.passed + self.failed) / self.runs


def exact(bad: int, total: int, limit: float, alpha: float = stats.ALPHA) -> int:
    """Clopper-Pearson's two bounds against the limit."""
    if stats.upper_bound(bad, total, alpha) <= limit:
        return PASS
    return FAIL if stats.lower_bound(bad, total, alpha) > limit else UNKNOWN


def sequential(bad: int, total: int, limit: float, alpha: float = stats.ALPHA) -> int:
    return {"good": PASS, None: UNKNOWN, "bad": FAIL}[stats.decide(bad, total, limit, alpha)]


def fixed(mine: Sample, _: Sample, cell: Cell) -> Answers:
    """Clopper-Pearson, asked once, at the planned end."""
    counts, place = np.unique(mine.bad.sum(axis=1), return_inverse=True)
    said = np.array([exact(int(bad), cell.horizon, cell.limit, cell.alpha) for bad in counts])[place]
    return Answers(said=said, after=np.full(len(mine.bad), cell.horizon))


@lru_cache
def boundaries(
    rule: Callable[[int, int, float, float], int], limit: float, horizon: int, alpha: float = stats.ALPHA
) -> tuple[np.ndarray, np.ndarray]:
    """Per number k of bad requests: the fewest requests with k bad that PASS, and the most that FAIL.

    Both rules only gain from a good request towards PASS, and only lose by it towards FAIL, so each is one number.
    """
    passes, fails = [], []
    while not fails or fails[-1] < horizon or passes[-1] <= horizon:
        bad = len(passes)
        low, high = max(bad, 1) - 1, horizon + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if rule(bad, middle, limit, alpha) == PASS else (middle, high)
        passes.append(high)
        low, high = max(bad, 1) - 1, horizon + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if rule(bad, middle, limit, alpha) == FAIL else (low, middle)
        fails.append(low if low >= max(bad, 1) else 0)
    return np.array(passes), np.array(fails)


def peeked(rule: Callable[[int, int, float, float], int], seen: np.ndarray, cell: Cell) -> Answers:
    """Ask after every single request and take the first answer; only the places of bad requests are looked at."""
    runs, horizon = seen.shape
    passes, fails = boundaries(rule, cell.limit, horizon, cell.alpha)
    most, late = len(passes) - 1, horizon + 1
    row, place = np.divmod(np.flatnonzero(seen), horizon)
    rank = np.arange(len(row)) - np.searchsorted(row, np.arange(runs))[row]
    early = rank < most
    # times[:, k]: the request that was the k-th bad one; the 0-th is the start.
    times = np.full((runs, most + 2), late)
    times[:, 0] = 0
    times[row[early], rank[early] + 1] = place[early] + 1
    began, ended = times[:, : most + 1], times[:, 1:] - 1
    good = np.maximum(passes, np.maximum(began, 1))
    first_good = np.where((good <= ended) & (began < late), good, late).min(axis=1)
    first_bad = np.where((began >= 1) & (began <= fails), began, late).min(axis=1)
    after = np.minimum(first_good, first_bad)
    said = np.where(after == late, UNKNOWN, np.where(first_good < first_bad, PASS, FAIL))
    return Answers(said=said, after=np.minimum(after, horizon))


def naive(mine: Sample, _: Sample, cell: Cell) -> Answers:
    """Clopper-Pearson as if planned, asked after every request."""
    return peeked(exact, mine.bad, cell)


def e_process(mine: Sample, _: Sample, cell: Cell) -> Answers:
    """The mixture e-process, asked after every request."""
    return peeked(sequential, mine.bad, cell)


def block_betting(mine: Sample, _: Sample, cell: Cell) -> Answers:
    """The betting bounds with blocks as units, asked after every block from the twentieth on."""
    shares = mine.bad.reshape(len(mine.bad), -1, cell.block).mean(axis=2)
    enough, late = -math.log(cell.alpha), shares.shape[1] + 1

    def first(side: str) -> np.ndarray:
        reached = stats.log_capital_path(shares, cell.limit, side) >= enough
        reached[:, : stats.FEWEST_BLOCKS - 1] = False
        return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, late)

    good, bad = first("good"), first("bad")
    after = np.minimum(good, bad)
    said = np.where(after == late, UNKNOWN, np.where(good < bad, PASS, FAIL))
    return Answers(said=said, after=np.minimum(after * cell.block, cell.horizon))


def shifted_up(canary: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Per run: does Kayenta call the canary's series High? Its judge asks for a 98 % interval of the shift that lies
    beyond a quarter of the estimated shift (Hodges and Lehmann's estimate, Moses' interval)."""
    n, m = canary.shape[1], baseline.shape[1]
    shifts = (canary[:, :, None] - baseline[:, None, :]).reshape(len(canary), -1)
    low = int(n * m / 2 - 2.3263 * math.sqrt(n * m * (n + m + 1) / 12)) - 1
    middle = (n * m - 1) // 2, n * m // 2
    ordered = np.partition(shifts, sorted({low, *middle}), axis=1)
    estimate = (ordered[:, middle[0]] + ordered[:, middle[1]]) / 2
    return ordered[:, low] > 0.25 * np.abs(estimate)


def kayenta(mine: Sample, other: Sample, cell: Cell) -> Answers:
    """Kayenta's Mann-Whitney judge on 60 error rates a side: High is FAIL, all else PASS."""
    points = [part.bad.reshape(len(part.bad), POINTS, -1).mean(axis=2) for part in (mine, other)]
    said = np.where(shifted_up(*points), FAIL, PASS)
    return Answers(said=said, after=np.full(len(said), cell.horizon))


def threshold(mine: Sample, _: Sample, cell: Cell) -> Answers:
    """As Argo Rollouts and Flagger are commonly set: ten windows of 1 / limit requests, each within the limit."""
    window = round(1 / cell.limit)
    ratios = mine.bad[:, : WINDOWS * window].reshape(-1, WINDOWS, window).mean(axis=2)
    over = ratios > cell.limit + 1e-12
    failed = over.any(axis=1)
    after = np.where(failed, over.argmax(axis=1) + 1, WINDOWS) * window
    return Answers(said=np.where(failed, FAIL, PASS), after=after)


RULES: dict[str, Callable[[Sample, Sample, Cell], Answers]] = {
    "verdict": verdict,
    "verdict, early": early,
    "exact, once": fixed,
    "exact, re-checked": naive,
    "e-process": e_process,
    "block betting": block_betting,
    "Kayenta": kayenta,
    "threshold": threshold,
}


def measure(cell: Cell, *, runs: int, seed: int, rules: tuple[str, ...] = tuple(RULES)) -> dict[str, Tally]:
    """Draw `runs` runs of a cell, and one baseline for each, and let every rule answer all of them."""
    truth = [
        round(cell.limit * 1e6),
        round(cell.times * 100),
        round(cell.phi * 100),
        cell.hidden,
        round(cell.alpha * 100),
    ]
    rng = np.random.default_rng([seed, *truth])
    answers: dict[str, list[Answers]] = {name: [] for name in rules}
    for start in range(0, runs, CHUNK):
        size = min(CHUNK, runs - start)
        mine = sample(cell, rng, size, cell.ratio)
        other = sample(cell, rng, size, cell.limit * HEALTHY)
        for name in rules:
            answers[name].append(RULES[name](mine, other, cell))
    return {name: _tally(cell, name, parts) for name, parts in answers.items()}


def _tally(cell: Cell, rule: str, parts: list[Answers]) -> Tally:
    said = np.concatenate([part.said for part in parts])
    after = np.concatenate([part.after for part in parts])
    return Tally(
        cell=cell,
        rule=rule,
        runs=len(said),
        passed=int((said == PASS).sum()),
        failed=int((said == FAIL).sum()),
        median=float(np.median(np.where(said == UNKNOWN, np.inf, after))),
    )


CHOSEN = ("verdict", "verdict, early", "exact, once", "e-process")
"""Rules whose error probability can be chosen, and that need no more requests than they get."""


def measure_all(*, runs: int, seed: int, report: Callable[[Cell], None] = lambda _: None) -> list[Tally]:
    """Every cell of the page, short ones and those at 1 % last; `report` is told of each cell once it is done."""
    tallies: list[Tally] = []
    for cell in (*cells(), *short_cells(), *strict_cells()):
        rules = CHOSEN if cell.short or cell.alpha != stats.ALPHA else tuple(RULES)
        tallies += measure(cell, runs=runs, seed=seed, rules=rules).values()
        report(cell)
    return tallies
