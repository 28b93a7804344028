"""One request inside the engine, and a place to wait for its tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from refplatform.engine.siblings import Siblings

if TYPE_CHECKING:
    from refplatform.engine.scheduler import Sequence


class AbortedError(Exception):
    """The stream was aborted before its last token."""


class Stream:
    """One request inside the engine: its sequence, its times (seconds of the loop's clock), and a place to wait.

    It `arrived` when it was begun to be read, and is `queued` since the scheduler has it.
    """

    __slots__ = (
        "_over",
        "_waiter",
        "aborted",
        "arrived",
        "finish_reason",
        "first",
        "last",
        "lora",
        "queued",
        "scheduled",
        "sequence",
        "siblings",
    )

    def __init__(
        self,
        sequence: Sequence,
        *,
        arrived: float,
        queued: float,
        finish_reason: str,
        lora: str | None = None,
        siblings: Siblings | None = None,
    ) -> None:
        self.sequence = sequence
        self.siblings = siblings or Siblings()
        self.finish_reason = finish_reason
        self.lora = lora
        self.arrived = arrived
        self.queued = self.last = queued
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
