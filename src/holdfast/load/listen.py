"""Reads an answer inside the loop's own callbacks, so that a stamp waits for nobody's parsing and no greenlet."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gevent.hub import Waiter, get_hub

from holdfast.load.reply import EndedError
from holdfast.load.turn import READ

if TYPE_CHECKING:
    from holdfast.load.reply import Failure, Reply

READ_BYTES: Final = 65536
_READABLE: Final = 1
"""libev's EV_READ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds a request may take: to connect, from sent to the first byte, between two reads, and in all."""

    connect: float
    first_byte: float
    gap: float
    total: float


class Listener:
    """One recv(2) a read, one timer an answer, and no switch of greenlets until the answer is over.

    The greenlet that waits is woken after all reads of that turn of the loop. `sock` is gevent's, without TLS; `began`
    is the second at which the request was sent.
    """

    __slots__ = ("_began", "_error", "_limits", "_loop", "_over", "_recv", "_reply", "_timer", "_waiter", "_watcher")

    def __init__(self, sock: Any, reply: Reply, limits: Deadlines, began: float) -> None:
        self._reply, self._limits, self._began = reply, limits, began
        self._recv = sock._sock.recv  # noqa: SLF001 - the plain socket, which gevent keeps from blocking
        self._loop, self._waiter = get_hub().loop, Waiter()
        self._watcher = self._loop.io(sock.fileno(), _READABLE, priority=READ)
        self._timer: Any = None
        self._error: BaseException | None = None
        self._over = False

    def wait(self) -> None:
        """Return when the answer is whole. Raises EndedError when it ended before."""
        self._watcher.start(self._readable)
        self._arm()
        try:
            self._waiter.get()
        finally:
            self._over = True
            self._watcher.stop()
            self._watcher.close()
            self._timer.stop()
            self._timer.close()
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback holds this frame: no circle for the collector

    def _readable(self) -> None:
        first = not self._reply.now
        try:
            data = self._recv(READ_BYTES)
            self._reply.take(time.monotonic(), data)
        except BlockingIOError:
            return
        except OSError as error:
            failure: Failure = "connect" if self._reply.status is None else "cut"
            self._end(EndedError(failure, f"reading: {error}"))
        except BaseException as error:  # noqa: BLE001 - raised again in `wait`, where somebody hears it
            self._end(error)
        else:
            if self._reply.complete:
                self._end(None)
            elif first:  # from here on another deadline holds, and it may be an earlier one
                self._timer.close()
                self._arm()

    def _end(self, error: BaseException | None) -> None:
        if not self._over:
            self._over, self._error = True, error
            self._watcher.stop()
            self._loop.run_callback(self._waiter.switch, None)

    def _due(self) -> tuple[float, str]:
        limits, now = self._limits, self._reply.now
        total = self._began + limits.total, f"not done within {limits.total:g}s"
        if now:
            return min((now + limits.gap, f"no byte after the last within {limits.gap:g}s"), total)
        return min((self._began + limits.first_byte, f"no first byte within {limits.first_byte:g}s"), total)

    def _arm(self) -> None:
        # One timer an answer, set anew when it fires: reads do not touch it.
        self._timer = self._loop.timer(max(0.001, self._due()[0] - time.monotonic()))
        self._timer.start(self._late)

    def _late(self) -> None:
        due, text = self._due()
        if time.monotonic() >= due:
            self._end(EndedError("timeout", text))
        elif not self._over:
            self._timer.close()
            self._arm()
