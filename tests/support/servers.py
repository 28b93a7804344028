"""Servers in virtual time, whose capacity a long simulation knows: queues, batching engines, cliffs, bad neighbours.

Each takes requests when they are due and says when the first token came. One server lives through a whole search, so a
backlog that one probe leaves is there for the next, and an autoscaler remembers.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass
class Queue:
    """First come, first served by `workers` whose speed may change; exponential or other service times in seconds."""

    workers: int
    service: float
    seed: int
    prefill: float = 0.02
    speed: Callable[[float], float] = lambda _: 1.0
    most: int = 0
    """With an autoscaler: how many workers it may start; 0 is without one."""
    delay: float = 20.0
    scale_at: float = 0.5
    free: list[float] = field(default_factory=list)
    starting: list[float] = field(default_factory=list)
    load: float = 0.0
    looked: float = 0.0
    calm: float = 0.0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.free = [0.0] * self.workers

    def offer(self, dues: NDArray, until: float) -> NDArray:
        """Latency in seconds of requests due in this order, none after `until`; all known at once: nobody overtakes."""
        work = self.random.exponential(self.service, len(dues)).tolist()
        free, speed, replace = self.free, self.speed, heapq.heapreplace
        answers = np.empty(len(dues))
        for index, due in enumerate(dues.tolist()):
            if self.most:
                self._scale(due)
            start = max(free[0], due)
            replace(free, start + work[index] / speed(start))
            answers[index] = start - due + self.prefill
        return answers

    def idle(self, now: float) -> float:
        """The moment from which on nothing is under way."""
        return max(now, *self.free)

    def _scale(self, now: float) -> None:
        """Once a second: a worker more when they were busy for a while, `delay` later; one less after a calm while."""
        while self.looked + 1.0 <= now:
            self.looked += 1.0
            busy = sum(one > self.looked for one in self.free) / len(self.free)
            self.load += (busy - self.load) / 8
            self.calm = self.calm + 1 if self.load < 0.3 else 0.0
            wanted = min(self.most, math.ceil(len(self.free) * self.load / self.scale_at))
            if self.load > self.scale_at and not self.starting and wanted > len(self.free):
                self.starting = [self.looked + self.delay] * (wanted - len(self.free))
            if self.calm > 240 and len(self.free) > self.workers:
                self.free.remove(min(self.free))
                heapq.heapify(self.free)
                self.calm = 0.0
            for ready in [one for one in self.starting if one <= self.looked]:
                self.starting.remove(ready)
                heapq.heappush(self.free, ready)


@dataclass
class Engine:
    """Continuous batching as vLLM's: every step gives each running request a token, and costs more the more there are.

    A step admits waiting prompts within a token budget. Beyond `cliff` running requests the cache overflows and each
    step takes `thrash` times as long.
    """

    seed: int
    base: float = 0.012
    each: float = 0.0004
    per_token: float = 0.00004
    budget: int = 2048
    seqs: int = 64
    prompt: int = 400
    answer: int = 60
    cliff: int = 0
    thrash: float = 2.5
    now: float = 0.0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.waiting: deque[tuple[float, int, int, int]] = deque()
        self.running: list[int] = []
        self.steps = 0
        self.count = 0
        self.firsts: dict[int, float] = {}

    def offer(self, dues: NDArray, until: float) -> NDArray:
        """Latency in seconds; inf for a request whose first token had not come by `until` (`late` has it later)."""
        size = len(dues)
        prompts = np.maximum(1, self.random.lognormal(math.log(self.prompt), 0.6, size)).astype(int).tolist()
        answers = self.random.geometric(1 / self.answer, size).tolist()
        coming = deque(zip(dues.tolist(), prompts, answers, range(self.count, self.count + size), strict=True))
        first = self.count
        self.count += size
        while self.now < until:
            while coming and coming[0][0] <= self.now:
                self.waiting.append(coming.popleft())
            if not self.running and not self.waiting:
                self.now = coming[0][0] if coming else until
                continue
            self._step()
        self.waiting.extend(coming)
        return np.array([self.firsts.pop(one, math.inf) for one in range(first, self.count)]) - dues

    def late(self) -> dict[int, float]:
        """Moments of first tokens that came after their own `offer`, by number of the request, once."""
        found, self.firsts = self.firsts, {}
        return found

    def _step(self) -> None:
        tokens, begun = 0, []
        while (
            self.waiting and len(self.running) < self.seqs and (not tokens or tokens + self.waiting[0][1] < self.budget)
        ):
            _, prompt, answer, number = self.waiting.popleft()
            tokens += prompt
            begun.append(number)
            heapq.heappush(self.running, self.steps + answer)
        size = len(self.running)
        took = self.base + self.each * size + self.per_token * tokens
        self.now += took * (self.thrash if self.cliff and size > self.cliff else 1.0)
        for number in begun:
            self.firsts[number] = self.now
        self.steps += 1
        while self.running and self.running[0] <= self.steps:
            heapq.heappop(self.running)

    def idle(self, now: float) -> float:
        """Works off what is there; the moment from which on nothing is under way."""
        while self.running or self.waiting:
            self._step()
        self.now = max(self.now, now)
        return self.now
