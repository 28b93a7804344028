"""Engines in virtual time: the same scheduler, step times and reading of requests, without waiting for them.

Answers questions such as "what would eight of these do with that load": a day of traffic takes seconds.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import TYPE_CHECKING

from refplatform.engine.calibration import pace
from refplatform.engine.reading import desk
from refplatform.engine.scheduler import BlockPool, QueueFullError, Scheduler

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from refplatform.engine.calibration import Calibration
    from refplatform.engine.scheduler import Sequence, Step
    from refplatform.engine.scheduler.core import Policy


@dataclass(slots=True, eq=False)
class Request:
    """A sequence that arrives at a time, and what became of it; seconds, None for what did not happen.

    `gaps` are the times between its tokens, where an engine is told to keep them.
    """

    at: float
    sequence: Sequence
    scheduled: float | None = None
    first: float | None = None
    last: float | None = None
    refused: str | None = None
    gaps: list[float] = field(default_factory=list)

    @property
    def ttft(self) -> float | None:
        """From arrival to the first token."""
        return None if self.first is None else self.first - self.at


class VirtualEngine:
    """One engine that is told when its step is over; with `keep_gaps`, requests know the times between tokens."""

    def __init__(
        self,
        calibration: Calibration,
        *,
        policy: Policy = "fcfs",
        noise: random.Random | None = None,
        keep_gaps: bool = False,
    ) -> None:
        self.scheduler = Scheduler(calibration.limits, BlockPool(calibration.kv_blocks), policy=policy)
        self.steps = self.tokens = 0
        self._seconds = pace(calibration, noise) if noise else calibration.step_seconds
        self._keep_gaps = keep_gaps
        self._desk = desk(calibration)
        self._requests: dict[Sequence, Request] = {}
        self._step: Step | None = None
        self._began = 0.0

    @property
    def busy(self) -> bool:
        """Whether a step is under way."""
        return self._step is not None

    def reads(self, request: Request) -> float:
        """When a request that comes now will have been read; only then it can be taken."""
        return self._desk.leaves(request.at, len(self.scheduler.running))

    def take(self, request: Request) -> None:
        """Queue a request, or note why not."""
        try:
            self.scheduler.add(request.sequence)
        except QueueFullError as error:
            request.refused = error.reason
        else:
            self._requests[request.sequence] = request

    def begin(self, now: float) -> float | None:
        """Start the next step; when it ends, or None when there is nothing to do."""
        self._step, self._began = self.scheduler.plan(), now
        return None if self._step is None else now + self._seconds(self._step)

    def end(self, now: float) -> list[Request]:
        """End the step; the requests that are complete."""
        if self._step is None:
            raise RuntimeError("no step is under way")
        for sequence in self._step.admitted:
            request = self._requests[sequence]
            request.scheduled = self._began if request.scheduled is None else request.scheduled
        outcome = self.scheduler.commit(self._step)
        self.steps, self.tokens = self.steps + 1, self.tokens + len(outcome.gained)
        for sequence, _ in self._step.prefills:
            if sequence.emitted == 1 and self._requests[sequence].first is None:
                self._requests[sequence].first = self._requests[sequence].last = now
        if self._keep_gaps:
            self._note_gaps(outcome.gained, now)
        done = [self._requests.pop(sequence) for sequence in outcome.finished]
        for request in done:
            request.last = now
        return done

    def _note_gaps(self, gained: Iterable[Sequence], now: float) -> None:
        for request in map(self._requests.__getitem__, gained):
            if request.last is not None and request.last < now:
                request.gaps.append(now - request.last)
            request.last = now


def replay(
    requests: Iterable[Request],
    choose: Callable[[Request], VirtualEngine],
    *,
    after: Callable[[Request], Request | None] = lambda _: None,
) -> float:
    """Let the requests arrive, in the order given, each at the engine chosen then; when the last one is done.

    `after` may give the next request of whoever has just been answered: a user who asks again.
    """
    world = _World(choose)
    arrivals = iter(requests)
    request = next(arrivals, None)
    while request is not None or world.busy:
        if request is not None and request.at <= world.next:
            world.arrive(request)
            request = next(arrivals, None)
        else:
            for done in world.happen():
                if (another := after(done)) is not None:
                    world.arrive(another)
    return world.now


class _World:
    """What is still to happen, by its time: requests that are read, steps that end."""

    def __init__(self, choose: Callable[[Request], VirtualEngine]) -> None:
        self.now = 0.0
        self._choose = choose
        self._events: list[tuple[float, int, VirtualEngine, Request | None]] = []
        self._order = count()
        self._waking: set[VirtualEngine] = set()  # idle, and to begin when all who come now have come

    @property
    def busy(self) -> bool:
        """Whether anything is to happen."""
        return bool(self._events)

    @property
    def next(self) -> float:
        """When; never, if nothing."""
        return self._events[0][0] if self._events else inf

    def arrive(self, request: Request) -> None:
        """A request comes to the engine that is chosen now; what is read in no time is taken at once."""
        self.now = max(self.now, request.at)
        engine = self._choose(request)
        read = engine.reads(request)
        if read <= self.now:
            self._take(engine, request)
        else:
            self._put(read, engine, request)

    def happen(self) -> list[Request]:
        """The next thing happens; the requests that it completed."""
        self.now, _, engine, request = heapq.heappop(self._events)
        if request is not None:
            self._take(engine, request)
            return []
        done = [] if engine in self._waking else engine.end(self.now)
        self._waking.discard(engine)
        if (end := engine.begin(self.now)) is not None:
            self._put(end, engine)
        return done

    def _take(self, engine: VirtualEngine, request: Request) -> None:
        engine.take(request)
        if not engine.busy and engine not in self._waking:
            self._waking.add(engine)
            self._put(self.now, engine)

    def _put(self, at: float, engine: VirtualEngine, request: Request | None = None) -> None:
        heapq.heappush(self._events, (at, next(self._order), engine, request))
