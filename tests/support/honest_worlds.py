"""Services that were never run: latencies and outcomes drawn from a known truth, independent or in bursts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.signal import lfilter

from holdfast import stats

SHORT = 600
"""Requests of a run of 50 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One truth under one objective.

    `times` is the true bad-request ratio as a multiple of the limit; `phi` the correlation of a request's latent
    strain with the next one's, and `hidden` whether latencies know nothing of that strain; `horizon` the requests of a
    run; `block` those of one unit of block betting; `second` those of one second.
    """

    limit: float
    times: float
    phi: float = 0.0
    hidden: bool = False
    horizon: int
    alpha: float = stats.ALPHA
    block: int = 20
    second: int = 12

    @property
    def ratio(self) -> float:
        return self.limit * self.times

    @property
    def name(self) -> str:
        kind = f"{'hidden ' if self.hidden else ''}bursts φ={self.phi:g}" if self.phi else "independent"
        return f"{kind}, {self.times:g}x{', 50 s' if self.short else ''}"

    @property
    def short(self) -> bool:
        return self.horizon == SHORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Runs of one service: runs x horizon, `bad` True for a bad request, `slow` its latency in no unit."""

    bad: np.ndarray
    slow: np.ndarray


def strain(shape: tuple[int, int], phi: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of a stationary first-order autoregression with mean 0 and variance 1."""
    steps = rng.standard_normal(shape, dtype=np.float32)
    steps[:, 1:] *= np.float32(math.sqrt(1 - phi**2))
    return lfilter(np.array([1], np.float32), np.array([1, -phi], np.float32), steps, axis=1)


def sample(cell: Cell, rng: np.random.Generator, runs: int, ratio: float) -> Sample:
    """Runs in which each request is bad with probability `ratio`, whatever `phi` is.

    A request is bad while a latent strain, one step a request, lies in its upper tail. The strain is its latency too,
    unless that is hidden.
    """
    shape = (runs, cell.horizon)
    if not cell.phi:
        luck = rng.random(shape, dtype=np.float32)
        return Sample(bad=luck < ratio, slow=-luck)
    latent = strain(shape, cell.phi, rng)
    bad = latent > NormalDist().inv_cdf(1 - ratio)
    return Sample(bad=bad, slow=rng.random(shape, dtype=np.float32) if cell.hidden else latent)


SIZES = ((0.001, 60_000), (0.01, 24_000))
"""(limit, requests of a run) of the two objectives, 99.9 % and 99 %."""


def cells() -> tuple[Cell, ...]:
    """Every cell of the long simulation, in the order of the page."""
    truths = [
        *((times, 0.0, False) for times in (0.2, 0.5, 1, 2, 10)),
        *((times, phi, False) for phi in (0.5, 0.9) for times in (0.5, 1, 2)),
        (1, 0.99, False),
        (1, 0.9, True),
    ]
    return tuple(
        Cell(limit=limit, times=times, phi=phi, hidden=hidden, horizon=horizon)
        for limit, horizon in SIZES
        for times, phi, hidden in truths
    )


def short_cells() -> tuple[Cell, ...]:
    """Runs as short as a smoke test, exactly at the limit."""
    truths = ((0.0, False), (0.5, False), (0.9, False), (0.9, True))
    return tuple(Cell(limit=0.01, times=1, phi=phi, hidden=hidden, horizon=SHORT) for phi, hidden in truths)


def strict_cells() -> tuple[Cell, ...]:
    """Cells at which an error probability of 1 % is measured."""
    return tuple(Cell(limit=limit, times=1, horizon=horizon, alpha=0.01) for limit, horizon in SIZES)
