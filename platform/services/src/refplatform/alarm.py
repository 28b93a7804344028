"""Wakes one coroutine at an instant: a timerfd, because the timers of an event loop are rounded to milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import math
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOCK_MONOTONIC: Final = 1
_NANO: Final = 1_000_000_000


class _Timerspec(ctypes.Structure):
    """`struct itimerspec` of timerfd_settime(2): an interval, then the first expiry."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Alarm:
    """One sleeper at a time, by any clock that runs in seconds; it belongs to the loop that first sleeps by it.

    Where there is no timerfd, it sleeps as well as the loop can.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._libc: Any = ctypes.CDLL(None, use_errno=True)
        self._timer: int | None = None
        self._waiter: asyncio.Future[None] | None = None

    def close(self) -> None:
        """Give the timer back; the next sleep takes another."""
        if self._timer is not None:
            asyncio.get_running_loop().remove_reader(self._timer)
            os.close(self._timer)
            self._timer = None

    async def until(self, instant: float) -> None:
        """Let others run until `instant`, and at least once when it has passed."""
        left = instant - self._clock()
        if left <= 0 or not self._open():
            await asyncio.sleep(max(0.0, left))
            return
        seconds, nano = divmod(math.ceil(left * _NANO), _NANO)
        spec = _Timerspec(0, 0, seconds, nano)
        if self._libc.timerfd_settime(self._timer, 0, ctypes.byref(spec), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _open(self) -> bool:
        if self._timer is None and hasattr(self._libc, "timerfd_create"):
            timer = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
            if timer >= 0:
                self._timer = timer
                asyncio.get_running_loop().add_reader(timer, self._rings)
        return self._timer is not None

    def _rings(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._timer or 0, 8)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
