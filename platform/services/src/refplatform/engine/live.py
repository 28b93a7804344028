"""The scheduler in real time: each step ends at its absolute deadline, and its tokens go to the waiting streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from refplatform.engine.calibration import pace
from refplatform.engine.scheduler import BlockPool, QueueFullError, Scheduler, Sequence

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterable

    from refplatform.engine.calibration import Calibration
    from refplatform.engine.scheduler import BlockHash, Outcome, Step
    from refplatform.engine.scheduler.core import Policy

LATE_SECONDS: Final = 0.05
"""A step that ends later than this was not busy but frozen or starved; the lost time is not made up for."""

LOOK_SECONDS: Final = 0.05
"""How often an engine that cannot go on looks whether its conditions have changed."""


class AbortedError(Exception):
    """The stream was aborted before its last token."""


class AsleepError(Exception):
    """The engine sleeps and takes no requests."""


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


class Watcher(Protocol):
    """What the engine tells about itself; in a step `preempted` and `prefix` first, `stepped` last.

    Times are seconds of the engine's clock.
    """

    def watch(self, *, running: Callable[[], float], waiting: Callable[[], float], kv: Callable[[], float]) -> None:
        """Functions that read the gauges; `kv` is a share of one."""

    def stepped(self, step: Step, gained: list[Sequence], /) -> None:
        """A step ended, and these gained a token."""

    def prefix(self, queries_tokens: int, hit_tokens: int, /) -> None:
        """A request was admitted for the first time: tokens looked up in the prefix cache, and found."""

    def first_token(self, stream: Stream, now: float, /) -> None:
        """The first token of a stream."""

    def next_tokens(self, gap: float, count: int, /) -> None:
        """So many later tokens came so long after the one before."""

    def ended(self, stream: Stream, now: float, reason: str, /) -> None:
        """A request ended, with vLLM's `finished_reason`."""

    def refused(self, reason: str, /) -> None:
        """A request was not taken; which limit was reached."""

    def preempted(self, count: int, /) -> None:
        """So many requests lost their blocks."""

    def lora(self, *, running: Iterable[str], waiting: Iterable[str]) -> None:
        """The adapters of the requests, when these have changed and one has an adapter."""

    def sleep(self, level: int, /) -> None:
        """The engine sleeps at this level; 0 is awake."""


class Stream:
    """One request inside the engine: its sequence, its times (seconds of the loop's clock), and a place to wait."""

    __slots__ = (
        "_over",
        "_waiter",
        "aborted",
        "arrived",
        "finish_reason",
        "first",
        "last",
        "lora",
        "scheduled",
        "sequence",
    )

    def __init__(self, sequence: Sequence, *, arrived: float, finish_reason: str, lora: str | None = None) -> None:
        self.sequence = sequence
        self.finish_reason = finish_reason
        self.lora = lora
        self.arrived = self.last = arrived
        self.scheduled: float | None = None
        self.first: float | None = None
        self.aborted = False
        self._over = False
        self._waiter: asyncio.Future[None] | None = None

    async def more_than(self, seen: int) -> int:
        """Wait until more than `seen` tokens exist or no more will come; how many there are. Raises AbortedError."""
        while self.sequence.emitted <= seen and not self._over:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.aborted and self.sequence.emitted <= seen:
            raise AbortedError
        return self.sequence.emitted

    def wake(self) -> None:
        """Let the waiting coroutine look again."""
        if (waiter := self._waiter) is not None and not waiter.done():
            waiter.set_result(None)

    def end(self, *, aborted: bool = False) -> None:
        """No more tokens; whoever waits or comes to wait gets AbortedError when it was aborted."""
        self._over, self.aborted = True, aborted
        self.wake()


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
    ) -> None:
        self.conditions = Conditions()
        self.sleep_level = 0
        self.busy_seconds = 0.0
        self._seconds = pace(calibration, noise) if noise else calibration.step_seconds
        self._metrics = metrics
        self._clock = clock
        self._until = until or partial(_sleep_until, clock=clock)
        self._scale = scale
        self._streams: dict[Sequence, Stream] = {}
        self._work = asyncio.Event()
        self._scheduler = Scheduler(calibration.limits, BlockPool(calibration.kv_blocks), policy=policy)
        self._preemptions = 0
        self._adapted = False
        self._delivered = 0.0  # when the last step ended
        metrics.watch(
            running=lambda: len(self._scheduler.running),
            waiting=lambda: len(self._scheduler.waiting),
            kv=lambda: self._scheduler.blocks.usage,
        )

    # Requests.

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
    ) -> Stream:
        """Queue a request of so many prompt tokens and answer tokens. Raises QueueFullError and AsleepError."""
        if self.sleep_level:
            raise AsleepError
        sequence = Sequence(prompt, asked, hashes, priority)
        try:
            self._scheduler.add(sequence)
        except QueueFullError as error:
            self._metrics.refused(error.reason)
            raise
        stream = Stream(sequence, arrived=self._clock(), finish_reason=finish_reason, lora=lora)
        self._streams[sequence] = stream
        self._adapted |= lora is not None
        self._work.set()
        return stream

    def abort(self, stream: Stream) -> None:
        """Free what the request holds, now; nothing happens when it has already ended."""
        if self._streams.pop(stream.sequence, None) is None:
            return
        self._scheduler.abort(stream.sequence)
        self._metrics.ended(stream, self._clock(), "abort")
        stream.end(aborted=True)

    # Sleep.

    def sleep(self, level: int = 1) -> None:
        """Abort everything, forget the KV cache, take no more requests. Raises ValueError for what is not a level."""
        if level not in {1, 2}:
            raise ValueError(f"the levels of sleep are 1 and 2, got {level}")
        for stream in list(self._streams.values()):
            self.abort(stream)
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
                stream.scheduled = max(began, stream.arrived)
                self._metrics.prefix(sequence.prompt, sequence.cached)
        outcome = self._scheduler.commit(step)
        self._deliver(outcome, now)
        if self._adapted and (step.admitted or outcome.finished):
            self._metrics.lora(
                running=self._loras(self._scheduler.running), waiting=self._loras(self._scheduler.waiting)
            )
        self._metrics.stepped(step, outcome.gained)

    def _loras(self, sequences: Iterable[Sequence]) -> list[str]:
        return sorted({lora for sequence in sequences if (lora := self._streams[sequence].lora)})

    def _deliver(self, outcome: Outcome, now: float) -> None:
        streams, previous, steady, others = self._streams, self._delivered, 0, Counter[float]()
        for sequence in outcome.gained:
            stream = streams[sequence]
            if stream.first is None:
                stream.first = now
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
            self._metrics.ended(stream, now, stream.finish_reason)
            stream.end()


async def _sleep_until(deadline: float, clock: Callable[[], float]) -> None:
    # Also when late: the streams must get their turn between two steps.
    await asyncio.sleep(max(0.0, deadline - clock()))
