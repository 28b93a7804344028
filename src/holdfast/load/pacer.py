"""Sleeps to an absolute instant: a timerfd on gevent's loop, because the loop's own timers round to milliseconds."""

from __future__ import annotations

import ctypes
import math
import os
import time
from typing import Any, Final, Self

import gevent
from gevent.hub import get_hub

from holdfast.load.turn import REST

_CLOCK_MONOTONIC: Final = 1
_TFD_TIMER_ABSTIME: Final = 1
_NANO: Final = 1_000_000_000
_READABLE: Final = 1
"""libev's EV_READ."""


class _Timerspec(ctypes.Structure):
    """`struct itimerspec` of timerfd_settime(2): an interval, then the first expiry."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Pacer:
    """One sleeper at a time; a context manager, because it may own a file descriptor.

    `priority` is its place in a turn of the loop (`load.turn`).
    """

    def __init__(self, priority: int = REST) -> None:
        self._libc, self._hub = ctypes.CDLL(None, use_errno=True), get_hub()
        self._timer: int | None = None
        self._watcher: Any = None
        if hasattr(self._libc, "timerfd_create"):
            timer = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
            if timer >= 0:
                self._timer, self._watcher = timer, self._hub.loop.io(timer, _READABLE, priority=priority)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._watcher.close()
            os.close(self._timer)
            self._timer = None

    def until(self, instant: float) -> None:
        """Let others run until `instant`, in seconds of time.monotonic(); return at once when it has passed."""
        while (left := instant - time.monotonic()) > 0:
            if self._timer is None:
                gevent.sleep(left)
            else:
                self._sleep(self._timer, instant)

    def _sleep(self, timer: int, instant: float) -> None:
        seconds, nano = divmod(math.ceil(instant * _NANO), _NANO)
        spec = _Timerspec(0, 0, seconds, nano)
        if self._libc.timerfd_settime(timer, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        self._hub.wait(self._watcher)
        os.read(timer, 8)
