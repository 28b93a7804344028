"""What a request costs before the scheduler hears of it: reading, tokenising, handing over, one after the other.

In vLLM one process does this for all requests, beside the one that computes, and hands out everybody's tokens as well.
So it makes no step longer, but requests that come together wait for each other, and all of them the longer the more
answers are under way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from refplatform.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from refplatform.engine.calibration import Calibration


@dataclass(slots=True)
class Desk:
    """Keeps each request for `seconds`, one after the other, and then for `beside` seconds a running one."""

    seconds: float = 0.0
    beside: float = 0.0
    free: float = 0.0

    def leaves(self, now: float, running: int) -> float:
        """When a request that comes now is read; `running` are those that the engine computes."""
        self.free = max(self.free, now) + self.seconds
        return self.free + self.beside * running


def desk(calibration: Calibration, *, scale: float = 1.0) -> Desk:
    """The desk of an engine of which `scale` seconds pass in one."""
    return Desk(calibration.c_request / scale, calibration.c_beside / scale)


class Reading:
    """A desk in real time; `until` waits for an instant of the clock, and an alarm does where no other is given."""

    def __init__(
        self, desk: Desk, *, clock: Callable[[], float], until: Callable[[float], Awaitable[None]] | None = None
    ) -> None:
        self.desk = desk
        self._clock = clock
        self._until = until or self._alarmed

    async def take(self, running: int) -> None:
        """Wait until a request that has just come is read."""
        if self.desk.seconds or self.desk.beside:
            await self._until(self.desk.leaves(self._clock(), running))

    async def _alarmed(self, instant: float) -> None:
        alarm = Alarm(self._clock)
        try:
            await alarm.until(instant)
        finally:
            alarm.close()
