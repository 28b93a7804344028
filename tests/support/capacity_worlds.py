"""Seeded worlds for a capacity search: a server, an objective, a range; the truth, and probes in virtual time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.capacity.probe import Objective, Outcomes, Probe, Seen, judge
from holdfast.capacity.search import Ask, enough
from servers import Engine, Queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FAMILIES = ("M/M/c", "batching", "cliff", "noisy neighbour", "drift", "autoscaling")
REST = 2.0
"""Seconds of quiet between two probes, after the last request has ended."""
LOOK = 5.0
SETTLED = 200.0
"""Seconds after which a server that was cold, or had to start replicas, shows what it can do."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A family of servers that differ by their seed, and what is asked of them."""

    name: str
    build: Callable[..., Any]
    """(seed, grown) -> a server; a `grown` one has all the replicas that it may start."""
    objective: Objective
    low: float
    high: float
    late_start: float = 0.0
    """Seconds of its life after which the truth is looked for: a drift's cold start is over."""


def world(seed: int) -> World:
    """The world of this number: families take turns."""
    random = np.random.default_rng(1000 + seed)
    family = FAMILIES[seed % len(FAMILIES)]
    makes = {
        "M/M/c": _queue, "batching": _batching, "cliff": _cliff,
        "noisy neighbour": _noisy, "drift": _drift, "autoscaling": _autoscaling,
    }  # fmt: skip
    build, usual = makes[family](random)
    limit = float(random.choice([0.01, 0.05]))
    least = 1.0 if family == "autoscaling" else 0.25
    bound = float(math.exp(random.uniform(math.log(least), math.log(2.0)))) + usual
    objective = Objective(name="ttft", limit=limit, bound=bound)
    return World(name=f"{family} {seed}", build=build, objective=objective, low=5.0, high=200.0, late_start=1200.0)


def _queue(random: Any, **more: Any) -> tuple[Callable[..., Queue], float]:
    workers = int(random.choice([1, 2, 4, 8, 16]))
    top = math.exp(random.uniform(math.log(25), math.log(130)))
    service = workers / top
    return (lambda seed, grown=False: Queue(workers=workers, service=service, seed=seed, **more)), 0.02


def _noisy(random: Any) -> tuple[Callable[..., Queue], float]:
    slow, each, lasts = random.uniform(0.6, 0.85), random.uniform(12, 30), random.uniform(2, 5)
    return _queue(random, speed=lambda t: slow if t % each < lasts else 1.0)


def _drift(random: Any) -> tuple[Callable[..., Queue], float]:
    cold, warm, sway, period = random.uniform(0.1, 0.3), random.uniform(20, 60), 0.02, random.uniform(150, 400)

    def speed(t: float) -> float:
        return 1 - cold * math.exp(-t / warm) + sway * math.sin(2 * math.pi * t / period)

    return _queue(random, speed=speed)


def _autoscaling(random: Any) -> tuple[Callable[..., Queue], float]:
    workers = int(random.choice([1, 2]))
    most = workers * int(random.choice([2, 3, 4]))
    service = most / math.exp(random.uniform(math.log(30), math.log(130)))
    delay = random.uniform(8, 20)

    def build(seed: int, *, grown: bool = False) -> Queue:
        start = most if grown else workers
        return Queue(workers=start, service=service, seed=seed, most=most, delay=delay, scale_at=0.4)

    return build, 0.02


def _batching(random: Any, **more: Any) -> tuple[Callable[..., Engine], float]:
    shape = {
        "base": random.uniform(0.006, 0.015), "each": random.uniform(0.0001, 0.0005),
        "per_token": random.uniform(0.00001, 0.00004), "seqs": int(random.choice([32, 64, 128])),
        "prompt": int(random.uniform(100, 400)), "answer": int(random.uniform(15, 40)),
    }  # fmt: skip
    return (lambda seed, grown=False: Engine(seed=seed, **shape, **more)), 0.05


def _cliff(random: Any) -> tuple[Callable[..., Engine], float]:
    return _batching(random, cliff=int(random.uniform(10, 28)), thrash=random.uniform(1.1, 1.4))


# -- truth ------------------------------------------------------------------------------------------------------------


def share_bad(one: World, rate: float, seconds: float, seed: int) -> tuple[float, int]:
    """Share of bad requests in a long time at this rate, and how many there were, once it has settled."""
    server = one.build(seed, grown=True)
    random = np.random.default_rng(seed + 1)
    start, end = one.late_start, one.late_start + SETTLED + seconds
    dues = start + np.cumsum(random.exponential(1 / rate, int(rate * (end - start) * 1.1) + 200))
    dues = dues[dues < end]
    answers = server.offer(dues, end)
    keep = (dues > start + SETTLED) & (dues < end - 2 * (one.objective.bound or 0))
    return float((answers[keep] > (one.objective.bound or 0)).mean()), int(keep.sum())


def truth(one: World, requests: int = 150_000) -> float:
    """The rate at which a long simulation has exactly the limit's share of bad requests; the mean of two of them.

    Each uses the same random numbers at every rate, so that its share rises with the rate but for little.
    """
    rough = _crossing(one, one.low, one.high, 0.08, requests=requests // 6, seed=77)
    found = [_crossing(one, rough * 0.85, rough * 1.18, 0.008, requests=requests, seed=seed) for seed in (500, 900)]
    return math.sqrt(found[0] * found[1])


def _crossing(one: World, low: float, high: float, width: float, *, requests: int, seed: int) -> float:
    while math.log(high / low) > width:
        rate = math.sqrt(low * high)
        bad, _ = share_bad(one, rate, max(600.0, requests / rate), seed)
        low, high = (rate, high) if bad <= one.objective.limit else (low, rate)
    return math.sqrt(low * high)


# -- probes in virtual time -------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """One server under a search: probes go on where the last one left it."""

    world: World
    seed: int
    now: float = 0.0
    probes: list[Probe] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = self.world.build(self.seed)
        self.random = np.random.default_rng(self.seed + 5)

    def probe(self, ask: Ask, alpha: float) -> Probe:
        """Do what the search asks."""
        rate, longest = ask.rate, ask.seconds
        start, offered = self.now, 0.0
        first_number = getattr(self.server, "count", 0)
        dues, firsts = np.zeros(0), np.zeros(0)
        look = min(LOOK, ask.least / 3)
        while True:
            until = min(offered + look, longest)
            fresh = self._arrivals(rate, start + offered, start + until)
            dues = np.concatenate([dues, fresh])
            answers = self.server.offer(fresh, start + until)
            firsts = np.concatenate([firsts, fresh + answers])
            self._late(firsts, first_number)
            offered = until
            found = judge(self._seen(rate, offered, dues - start, firsts - start), alpha)
            if offered >= longest or enough(ask, found):
                break
        self.now = self.server.idle(start + offered) + REST
        self._late(firsts, first_number)
        self.probes.append(found)
        return found

    def _arrivals(self, rate: float, start: float, end: float) -> NDArray:
        count = self.random.poisson(rate * (end - start))
        return np.sort(self.random.uniform(start, end, count))

    def _late(self, firsts: NDArray, first_number: int) -> None:
        if isinstance(self.server, Engine):
            for number, at in self.server.late().items():
                firsts[number - first_number] = at

    def _seen(self, rate: float, offered: float, dues: NDArray, firsts: NDArray) -> Seen:
        """What is known at this moment: whatever was due so long ago that its bound has passed."""
        bound = self.world.objective.bound or 0.0
        known = dues <= offered - bound
        came = np.where(firsts <= offered, firsts, np.nan)[known]
        latency = came - dues[known]
        bad = ~(latency <= bound)
        outcomes = (Outcomes(objective=self.world.objective, bad=bad, latency=latency),)
        return Seen(rate=rate, seconds=offered, due=dues[known], done=came, outcomes=outcomes)
