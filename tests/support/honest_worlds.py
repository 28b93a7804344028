"""Services that were never run: outcomes of requests drawn from a known truth, independent or in bursts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.signal import lfilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One truth under one objective.

    `times` is the true bad-request ratio as a multiple of the limit; `phi` the correlation of a request's latent
    strain with the next one's; `horizon` the requests of a run; `block` the requests of one block of time.
    """

    limit: float
    times: float
    phi: float = 0.0
    horizon: int
    block: int = 20

    @property
    def ratio(self) -> float:
        return self.limit * self.times

    @property
    def name(self) -> str:
        kind = f"bursts φ={self.phi:g}" if self.phi else "independent"
        return f"{kind}, {self.times:g}x"


def strain(shape: tuple[int, int], phi: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of a stationary first-order autoregression with mean 0 and variance 1."""
    steps = rng.standard_normal(shape, dtype=np.float32)
    steps[:, 1:] *= np.float32(math.sqrt(1 - phi**2))
    return lfilter(np.array([1], np.float32), np.array([1, -phi], np.float32), steps, axis=1)


def outcomes(cell: Cell, rng: np.random.Generator, runs: int, ratio: float) -> np.ndarray:
    """runs x horizon booleans, True for a bad request; each is bad with probability `ratio`, whatever `phi` is.

    In bursts a request is bad while a latent strain, one step a request, lies in its upper tail.
    """
    shape = (runs, cell.horizon)
    if not cell.phi:
        return rng.random(shape, dtype=np.float32) < ratio
    return strain(shape, cell.phi, rng) > NormalDist().inv_cdf(1 - ratio)


SIZES = ((0.001, 60_000), (0.01, 24_000))
"""(limit, requests of a run) of the two objectives, 99.9 % and 99 %."""


def cells() -> tuple[Cell, ...]:
    """Every cell of the long simulation, in the order of the page."""
    truths = [
        *((times, 0.0) for times in (0.2, 0.5, 1, 2, 10)),
        *((times, phi) for phi in (0.5, 0.9) for times in (0.5, 1, 2)),
        (1, 0.99),
    ]
    return tuple(
        Cell(limit=limit, times=times, phi=phi, horizon=horizon) for limit, horizon in SIZES for times, phi in truths
    )
