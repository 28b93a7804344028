"""Engines in virtual time: the same scheduler and the same step times, without waiting for them.

Answers questions such as "what would eight of these do with that load": a day of traffic takes seconds.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from refplatform.engine.calibration import pace
from refplatform.engine.scheduler import BlockPool, QueueFullError, Scheduler

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from refplatform.engine.calibration import Calibration
    from refplatform.engine.scheduler import Sequence, Step
    from refplatform.engine.scheduler.core import Policy


@dataclass(slots=True, eq=False)
class Request:
    """A sequence that arrives at a time, and what became of it; seconds, None for what did not happen."""

    at: float
    sequence: Sequence
    scheduled: float | None = None
    first: float | None = None
    last: float | None = None
    refused: str | None = None

    @property
    def ttft(self) -> float | None:
        """From arrival to the first token."""
        return None if self.first is None else self.first - self.at


class VirtualEngine:
    """One engine that is told when its step is over."""

    def __init__(
        self, calibration: Calibration, *, policy: Policy = "fcfs", noise: random.Random | None = None
    ) -> None:
        self.scheduler = Scheduler(calibration.limits, BlockPool(calibration.kv_blocks), policy=policy)
        self.steps = self.tokens = 0
        self._seconds = pace(calibration, noise) if noise else calibration.step_seconds
        self._requests: dict[Sequence, Request] = {}
        self._step: Step | None = None
        self._began = 0.0

    @property
    def busy(self) -> bool:
        """Whether a step is under way."""
        return self._step is not None

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
                self._requests[sequence].first = now
        done = [self._requests.pop(sequence) for sequence in outcome.finished]
        for request in done:
            request.last = now
        return done


def replay(requests: Iterable[Request], choose: Callable[[Request], VirtualEngine]) -> float:
    """Let the requests arrive, in the order given, each at the engine chosen then; when the last one is done."""
    now, arrivals, order = 0.0, iter(requests), count()
    ends: list[tuple[float, int, VirtualEngine]] = []
    request = next(arrivals, None)
    while request is not None or ends:
        if request is not None and (not ends or request.at <= ends[0][0]):
            now, engine = request.at, choose(request)
            engine.take(request)
            request = next(arrivals, None)
            if engine.busy:
                continue
        else:
            now, _, engine = heapq.heappop(ends)
            engine.end(now)
        if (end := engine.begin(now)) is not None:
            heapq.heappush(ends, (end, next(order), engine))
    return now
