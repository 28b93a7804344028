"""The scheduler in real time: each step ends at its absolute deadline, and its tokens go to the waiting streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from refplatform.engine.calibration import pace
from refplatform.engine.scheduler import BlockPool, QueueFullError, Scheduler, Sequence
from refplatform.engine.stream import Stream

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from refplatform.engine.calibration import Calibration
    from refplatform.engine.scheduler import BlockHash, Outcome, Residency, Step
    from refplatform.engine.scheduler.core import Policy
    from refplatform.engine.siblings import Siblings
    from refplatform.engine.watcher import Watcher

LATE_SECONDS: Final = 0.05
"""A step that ends later than this was not busy but frozen or starved; the lost time is not made up for."""

LOOK_SECONDS: Final = 0.05
"""How often an engine that cannot go on looks whether its conditions have changed."""


class PausedError(Exception):
    """The engine takes no requests for a moment; the message says why."""


class AsleepError(PausedError):
    """The engine sleeps and takes no requests."""

    def __init__(self) -> None:
        super().__init__("the engine sleeps")


@dataclass(slots=True)
class Conditions:
    """What somebody does to the engine from outside; read before each step.

    `step_factor` stretches every step. While `halted`, no step ends: requests are taken and nothing comes back.
    `reserved_blocks` are withheld from the KV cache. Without `prefix_cache`, nothing is found and nothing is kept.
    """

    step_factor: float = 1.0
    halted: bool = False
    reserved_blocks: int = 0
    prefix_cache: bool = True


class LiveEngine:
    """Requests go in by `submit` and leave by their last token or `abort`; `run` steps them for ever.

    `scale` is how many seconds of the calibration pass in one second of the clock. `until` waits for an instant of it,
    and lets others run also when that has passed; the event loop's own timers do, where no other is given.
    """

    def __init__(
        self,
        calibration: Calibration,
        metrics: Watcher,
        *,
        clock: Callable[[], float],
        scale: float = 1.0,
        policy: Policy = "fcfs",
        noise: random.Random | None = None,
        until: Callable[[float], Awaitable[None]] | None = None,
        residency: Residency | None = None,
    ) -> None:
        self.conditions = Conditions()
        self.sleep_level = 0
        self.busy_seconds = 0.0
        self.paused: str | None = None
        self._noise = noise
        self.adopt(calibration)
        self._metrics = metrics
        self._clock = clock
        self._until = until or partial(_sleep_until, clock=clock)
        self._scale = scale
        self._streams: dict[Sequence, Stream] = {}
        self._work = asyncio.Event()
        self._residency = residency
        self._scheduler = Scheduler(calibration.limits, BlockPool(calibration.kv_blocks, residency), policy=policy)
        self._preemptions = 0
        self._adapters: dict[str, int] = {}  # requests that have a token and are to have more
        self._delivered = 0.0  # when the last step ended
        metrics.watch(
            running=lambda: len(self._scheduler.running),
            waiting=lambda: len(self._scheduler.waiting),
            kv=lambda: self._scheduler.blocks.usage,
        )

    # Requests.

    def now(self) -> float:
        """Seconds of its clock."""
        return self._clock()

    @property
    def running(self) -> int:
        """Requests that are computed; those that wait are not among them."""
        return len(self._scheduler.running)

    def submit(
        self,
        *,
        prompt: int,
        asked: int,
        finish_reason: str,
        hashes: tuple[BlockHash, ...] = (),
        priority: int = 0,
        lora: str | None = None,
        siblings: Siblings | None = None,
        arrived: float | None = None,
    ) -> Stream:
        """Queue a request of so many prompt tokens and answer tokens, which `arrived` now or at an earlier `now()`.

        Raises QueueFullError and PausedError.
        """
        if self.sleep_level:
            raise AsleepError
        if self.paused:
            raise PausedError(self.paused)
        sequence = Sequence(prompt, asked, hashes, priority)
        try:
            self._scheduler.add(sequence)
        except QueueFullError as error:
            self._metrics.refused(error.reason)
            raise
        now = self._clock()
        stream = Stream(
            sequence,
            arrived=now if arrived is None else arrived,
            queued=now,
            finish_reason=finish_reason,
            lora=lora,
            siblings=siblings,
        )
        self._streams[sequence] = stream
        self._work.set()
        return stream

    def abort(self, stream: Stream) -> None:
        """Free what the request holds, now; nothing happens when it has already ended."""
        if self._streams.pop(stream.sequence, None) is None:
            return
        self._scheduler.abort(stream.sequence)
        self._release(stream)
        self._metrics.ended(stream, self._clock(), "abort")
        stream.end(aborted=True)

    def abort_all(self) -> None:
        """Free what all requests hold, now."""
        for stream in list(self._streams.values()):
            self.abort(stream)

    # Other weights.

    def adopt(self, calibration: Calibration) -> None:
        """Take as long for a step as this calibration says, from the next one on; limits and memory stay."""
        self._seconds = pace(calibration, self._noise) if self._noise else calibration.step_seconds

    async def drained(self, seconds: float) -> int:
        """Wait until no request is left, for so many seconds at most; how many are left then."""
        end = self._clock() + seconds
        while self._streams and (left := end - self._clock()) > 0:  # noqa: ASYNC110 - a look now and then costs less
            await asyncio.sleep(min(LOOK_SECONDS, left))
        return len(self._streams)

    # Sleep.

    def sleep(self, level: int = 1) -> None:
        """Abort everything, forget the KV cache, take no more requests. Raises ValueError for what is not a level."""
        if level not in {1, 2}:
            raise ValueError(f"the levels of sleep are 1 and 2, got {level}")
        self.abort_all()
        self.reset_prefix_cache()
        self._sleep(level)

    def wake(self) -> None:
        """Take requests again, with an empty cache."""
        self._sleep(0)

    def reset_prefix_cache(self) -> bool:
        """Forget all prefixes that no running request holds; whether none is left."""
        return self._scheduler.blocks.reset()

    def _sleep(self, level: int) -> None:
        self.sleep_level = level
        self._metrics.sleep(level)

    # Steps.

    async def run(self) -> None:
        """Step for ever; sleeps without a timer while nothing is asked."""
        deadline = self._clock()
        while True:
            step = self._plan()
            if step is None:
                await self._idle()
                deadline = self._clock()
                continue
            began = deadline
            deadline += self._seconds(step) * self.conditions.step_factor / self._scale
            await self._until(deadline)
            while self.conditions.halted:  # noqa: ASYNC110 - plain attributes announce no change
                await asyncio.sleep(LOOK_SECONDS)
            now = self._clock()
            self._end(step, began, now)
            if now - deadline > LATE_SECONDS:
                deadline = now

    def _plan(self) -> Step | None:
        conditions, scheduler = self.conditions, self._scheduler
        scheduler.blocks.caching = conditions.prefix_cache
        scheduler.blocks.reserve(conditions.reserved_blocks)
        step = scheduler.plan()
        if scheduler.preemptions > self._preemptions:
            self._metrics.preempted(scheduler.preemptions - self._preemptions)
            self._preemptions = scheduler.preemptions
        return step

    async def _idle(self) -> None:
        self._work.clear()
        stuck = len(self._scheduler.waiting) > 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS if stuck else None):
                await self._work.wait()
        await asyncio.sleep(0)  # requests that arrive together start in one step

    def _end(self, step: Step, began: float, now: float) -> None:
        self.busy_seconds += now - began
        for sequence in step.admitted:
            if (stream := self._streams.get(sequence)) and stream.scheduled is None:
                stream.scheduled = max(began, stream.queued)
                self._metrics.prefix(sequence.prompt, sequence.cached)
        outcome = self._scheduler.commit(step)
        self._deliver(outcome, now)
        self._metrics.lora(self._adapters)
        if self._residency is not None and (evicted := self._residency.take()):
            self._metrics.evicted(evicted)
        self._metrics.stepped(step, outcome.gained)

    def _hold(self, stream: Stream) -> None:
        if stream.lora is not None:
            self._adapters[stream.lora] = self._adapters.get(stream.lora, 0) + 1

    def _release(self, stream: Stream) -> None:
        if stream.lora is None or stream.first is None:
            return
        self._adapters[stream.lora] -= 1
        if not self._adapters[stream.lora]:
            del self._adapters[stream.lora]

    def _deliver(self, outcome: Outcome, now: float) -> None:
        streams, previous, steady, others = self._streams, self._delivered, 0, Counter[float]()
        for sequence in outcome.gained:
            stream = streams[sequence]
            if stream.first is None:
                stream.first = now
                self._hold(stream)
                self._metrics.first_token(stream, now)
            elif stream.last == previous:  # nearly all: they had a token of the step before, and have the same gap
                steady += 1
            else:
                others[stream.last] += 1
            stream.last = now
            stream.wake()
        for last, count in ((previous, steady), *others.items()):
            if count:
                self._metrics.next_tokens(now - last, count)
        self._delivered = now
        for sequence in outcome.finished:
            stream = streams.pop(sequence)
            self._release(stream)
            self._metrics.ended(stream, now, stream.finish_reason)
            stream.end()


async def _sleep_until(deadline: float, clock: Callable[[], float]) -> None:
    # Also when late: the streams must get their turn between two steps.
    await asyncio.sleep(max(0.0, deadline - clock()))
