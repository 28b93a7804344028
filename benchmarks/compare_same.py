"""How often `load compare` says that equal sides differ (1 % may), and how often it sees a side that is slower.

Each pair is simulated: latencies with the memory of a queue, runs of 3,000 requests, once or in three turns a side.

Example: .venv/bin/python benchmarks/compare_same.py --pairs 200
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from holdfast.loadtest.difference import ALPHA, Allowed, figures
from holdfast.stats.binomial import lower_bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

REQUESTS: Final = 3000
RATE: Final = 50.0
MEMORIES: Final = (0.0, 0.5, 0.9)


def main() -> None:
    """Print a table; exit code 1 when more than alpha is proven."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--slower", type=float, default=1.1, help="the factor of the sides that are not equal")
    chosen = parser.parse_args()
    began, alarms, pairs = time.monotonic(), 0, 0
    print(f"{'memory':>6} {'turns':>5} {'equal: said to differ':>22} {f'x{chosen.slower:g}: ttft p50 / p99 seen':>28}")
    for memory in MEMORIES:
        for turns in (1, 3):
            same = sum(_alarm(seed, memory, turns) for seed in range(chosen.pairs))
            seen = [_seen(seed, memory, turns, chosen.slower) for seed in range(chosen.pairs // 4)]
            alarms, pairs = alarms + same, pairs + chosen.pairs
            shares = " / ".join(f"{np.average(one):.0%}" for one in np.array(seen).T)
            print(f"{memory:>6} {turns:>5} {same:>14} of {chosen.pairs:>4} {shares:>28}", flush=True)
    print(f"all: {alarms} of {pairs} ({alarms / pairs:.2%}; allowed {ALPHA:.0%}); {time.monotonic() - began:.0f} s")
    sys.exit(int(lower_bound(alarms, pairs) > ALPHA))


def _side(random: np.random.Generator, memory: float, turns: int, slower: float = 1.0) -> list[pd.DataFrame]:
    return [_run(random, memory, slower) for _ in range(turns)]


def _run(random: np.random.Generator, memory: float, slower: float) -> pd.DataFrame:
    """Slow together: first token, gaps and failures follow one level, an AR(1) process over the requests."""
    due = np.arange(REQUESTS) / RATE
    level = _level(random, memory)
    first = due + slower * 0.1 * np.exp(0.4 * level + 0.1 * random.standard_normal(REQUESTS))
    gap = slower * 0.01 * np.exp(0.2 * level + 0.05 * random.standard_normal(REQUESTS))
    tokens = np.maximum(2, random.lognormal(math.log(50), 0.3, REQUESTS).round())
    last = first + (tokens - 1) * gap
    # One in a thousand fails, the slowest ones first.
    outcome = np.where(level + 0.5 * random.standard_normal(REQUESTS) > 3.45, "timeout", "ok")  # noqa: PLR2004
    return pd.DataFrame(
        {"due": due, "first": first, "last": last, "done": last, "tokens": tokens, "max_gap": 1.5 * gap}
    ).assign(outcome=outcome)


def _level(random: np.random.Generator, memory: float) -> NDArray[np.float64]:
    noise = random.standard_normal(REQUESTS + 200)
    return np.asarray(lfilter([math.sqrt(1 - memory**2)], [1, -memory], noise)[200:])


def _alarm(seed: int, memory: float, turns: int) -> bool:
    random = np.random.default_rng([seed, 1])
    sides = [_side(random, memory, turns) for _ in range(2)]
    return any(one.differs for one in figures(*sides, Allowed(), random=random))


def _seen(seed: int, memory: float, turns: int, slower: float) -> tuple[bool, bool]:
    random = np.random.default_rng([seed, 2])
    found = figures(_side(random, memory, turns), _side(random, memory, turns, slower), Allowed(), random=random)
    by = {one.name: one.differs for one in found}
    return by["ttft p50"], by["ttft p99"]


if __name__ == "__main__":
    main()
