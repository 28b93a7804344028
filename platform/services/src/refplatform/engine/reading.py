"""What a request costs before the scheduler hears of it: reading, tokenising, handing over, one after the other.

In vLLM one process does this for all requests, beside the one that computes, and hands out everybody's tokens as well.
So it makes no step longer, but requests that come together wait for each other, and all of them the longer the more
answers are under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from refplatform.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable


class Reading:
    """Keeps each request for `seconds`, one after the other, and then for `beside` seconds a running one."""

    def __init__(self, seconds: float, beside: float, *, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._beside = beside
        self._clock = clock
        self._free = 0.0

    async def take(self, running: int) -> None:
        """Wait until a request that has just come is read; `running` are those that the engine computes."""
        if not self._seconds and not self._beside:
            return
        self._free = max(self._free, self._clock()) + self._seconds
        alarm = Alarm(self._clock)
        try:
            await alarm.until(self._free + self._beside * running)
        finally:
            alarm.close()
