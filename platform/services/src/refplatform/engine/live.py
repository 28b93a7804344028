"""The scheduler in real time: each step ends at its absolute deadline, and its tokens go to the waiting streams."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from refplatform.engine.scheduler import QueueFullError, Scheduler, Sequence, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.engine.calibration import Calibration
    from refplatform.engine.metrics import EngineMetrics

LATE_SECONDS: Final = 0.05
"""A step that ends later than this was not busy but frozen or starved; the lost time is not made up for."""


class AbortedError(Exception):
    """The stream was aborted before its last token."""


class Stream:
    """One request inside the engine: its sequence, its times (seconds of the loop's clock), and a place to wait."""

    __slots__ = ("_aborted", "_waiter", "arrived", "finish_reason", "first", "last", "scheduled", "sequence")

    def __init__(self, sequence: Sequence, *, arrived: float, finish_reason: str) -> None:
        self.sequence = sequence
        self.finish_reason = finish_reason
        self.arrived = self.last = arrived
        self.scheduled: float | None = None
        self.first: float | None = None
        self._aborted = False
        self._waiter: asyncio.Future[None] | None = None

    async def more_than(self, seen: int) -> int:
        """Wait until more than `seen` tokens exist; how many there are. Raises AbortedError."""
        while self.sequence.emitted <= seen:
            if self._aborted:
                raise AbortedError
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self.sequence.emitted

    def wake(self) -> None:
        """Let the waiting coroutine look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def abort(self) -> None:
        """End the wait with AbortedError."""
        self._aborted = True
        self.wake()


class LiveEngine:
    """Requests go in by `submit` and leave by their last token or `abort`; `run` steps them for ever."""

    def __init__(self, calibration: Calibration, metrics: EngineMetrics, *, clock: Callable[[], float]) -> None:
        self._calibration = calibration
        self._metrics = metrics
        self._clock = clock
        self._streams: dict[int, Stream] = {}
        self._work = asyncio.Event()
        self._scheduler = Scheduler(
            max_num_seqs=calibration.max_num_seqs,
            max_num_batched_tokens=calibration.max_num_batched_tokens,
            max_num_queued_reqs=calibration.max_num_queued_reqs,
        )
        metrics.watch(
            running=lambda: len(self._scheduler.running),
            waiting=lambda: len(self._scheduler.waiting),
            kv=lambda: min(1.0, self._scheduler.context / calibration.kv_cache_tokens),
        )

    def submit(self, *, prompt: int, asked: int, finish_reason: str) -> Stream:
        """Queue a request of so many prompt tokens and answer tokens. Raises QueueFullError."""
        sequence = Sequence(prompt, asked)
        try:
            self._scheduler.add(sequence)
        except QueueFullError:
            self._metrics.refused.inc()
            raise
        stream = Stream(sequence, arrived=self._clock(), finish_reason=finish_reason)
        self._streams[id(sequence)] = stream
        self._work.set()
        return stream

    def abort(self, stream: Stream) -> None:
        """Free what the request holds, now; nothing happens when it has already ended."""
        if self._streams.pop(id(stream.sequence), None) is None:
            return
        self._scheduler.abort(stream.sequence)
        self._metrics.ended(stream, self._clock(), "abort")
        stream.abort()

    async def run(self) -> None:
        """Step for ever; sleeps without a timer while nothing is asked."""
        deadline = self._clock()
        while True:
            step = self._scheduler.plan()
            if step is None:
                self._work.clear()
                await self._work.wait()
                await asyncio.sleep(0)  # requests that arrive together start in one step
                deadline = self._clock()
                continue
            began = deadline
            deadline += self._calibration.step_seconds(step)
            await _sleep_until(deadline, self._clock)
            now = self._clock()
            self._end(step, began, now)
            if now - deadline > LATE_SECONDS:
                deadline = now

    def _end(self, step: Step, began: float, now: float) -> None:
        for sequence, _ in step.chunks:
            if sequence.computed == 0 and (stream := self._streams.get(id(sequence))):
                stream.scheduled = max(began, stream.arrived)
        gained = self._scheduler.commit(step)
        for sequence in gained:
            self._gain(self._streams[id(sequence)], now)
        self._metrics.step_tokens.observe(step.tokens)
        self._metrics.generation_tokens.inc(len(gained))

    def _gain(self, stream: Stream, now: float) -> None:
        if stream.first is None:
            stream.first = now
            self._metrics.ttft.observe(now - stream.arrived)
            self._metrics.prompt_tokens.inc(stream.sequence.prompt)
        else:
            self._metrics.itl.observe(now - stream.last)
        stream.last = now
        stream.wake()
        if stream.sequence.finished:
            del self._streams[id(stream.sequence)]
            self._metrics.ended(stream, now, stream.finish_reason)


async def _sleep_until(deadline: float, clock: Callable[[], float]) -> None:
    # Also when late: the streams must get their turn between two steps.
    await asyncio.sleep(max(0.0, deadline - clock()))
