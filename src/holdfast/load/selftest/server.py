"""A stamped server: chat completions streamed at an exact pace, every event saying when it was due and when sent.

    python -m holdfast.load.selftest.server --port 8200 --tokens 64 --first 20ms --gap 20ms

One thread, the standard library alone: it must cost less than whatever is measured with it. All times in the stream
are nanoseconds of CLOCK_MONOTONIC, which processes of one machine share: `arrived`, when the request had been read;
`due` and `sent`, when this event should have left and when send(2) was called. `sent` - `due` is the server's own
lateness, so that a bad server is not taken for a bad client.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import socket
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final, NoReturn

from holdfast.units import duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BATCH: Final = 64
"""Events sent at a stretch before the sockets are looked at again."""
IDLE: Final = 0.05
READ_BYTES: Final = 65536
_BACKLOG: Final = 4096
_NANO: Final = 1_000_000_000
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_REFUSED: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """One answer: how many events when the request names no `max_tokens`, seconds to the first, and between two."""

    tokens: int
    first: float
    gap: float

    @property
    def seconds(self) -> float:
        """From the request's arrival to the last event."""
        return self.first + (self.tokens - 1) * self.gap


class Frames:
    """One stream's events as chunks of HTTP/1.1, built ahead: at their time only two numbers are put in."""

    __slots__ = ("_last", "_plain")

    def __init__(self, number: int, arrived: int) -> None:
        self._plain = _chunk(_event(number, arrived, "null"))
        last = _event(number, arrived, '"stop"')
        self._last = _chunk(last) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"

    def event(self, due: int, sent: int) -> bytes:
        """A token; both times in nanoseconds."""
        return self._plain % (due, sent)

    def end(self, due: int, sent: int) -> bytes:
        """The last token, the finish reason, `[DONE]` and the end of the body, in one piece."""
        return self._last % (due, sent)


def _event(number: int, arrived: int, finish: str) -> bytes:
    # Numbers of a fixed width, so that the chunk's length is known before they are.
    return (
        f'data: {{"id":"chatcmpl-{number}","object":"chat.completion.chunk","created":1700000000,"model":"stamped",'
        f'"choices":[{{"index":0,"delta":{{"content":" token"}},"logprobs":null,"finish_reason":{finish}}}],'
        f'"arrived":{arrived},"due":%19d,"sent":%19d}}\n\n'
    ).encode()


def _chunk(data: bytes) -> bytes:
    length = len(data % (0, 0)) if b"%" in data else len(data)
    return b"%x\r\n" % length + data + b"\r\n"


class Connection:
    """One client's socket, and the answer it is being sent, if any."""

    __slots__ = ("arrived", "closed", "first_sent", "frames", "left", "number", "request", "sock", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.request = b""
        self.unsent = b""
        self.left = 0
        self.closed = False
        self.number = self.arrived = self.first_sent = 0
        self.frames: Frames | None = None


class Server:
    """Serves one listening socket until it is told to stop.

    Every stream has the same gap, so events fall due in the order in which they were queued: two queues, one of first
    events and one of all others, are the whole timer.
    """

    def __init__(self, listener: socket.socket, pace: Pace, log: int | None = None) -> None:
        self._listener, self._pace, self._log = listener, pace, log
        self._gap, self._first = round(pace.gap * _NANO), round(pace.first * _NANO)
        self._firsts: deque[tuple[int, Connection]] = deque()
        self._nexts: deque[tuple[int, Connection]] = deque()
        self._numbers = count(1)
        self._connections: dict[int, Connection] = {}
        self._epoll = select.epoll()
        listener.setblocking(False)
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> NoReturn:
        """Serve for good."""
        waited, ready = [self._epoll.fileno()], self._epoll.poll
        while True:
            wait = self._play()
            if wait:
                # epoll counts whole milliseconds, select microseconds; and an epoll descriptor can be selected.
                select.select(waited, [], [], wait)
            for descriptor, _ in ready(0):
                self._hear(descriptor)

    def _play(self) -> float:
        """Send what is due; give the seconds until something is."""
        firsts, nexts, gap = self._firsts, self._nexts, self._gap
        for _ in range(BATCH):
            queue = firsts if firsts and (not nexts or firsts[0][0] <= nexts[0][0]) else nexts
            if not queue:
                return IDLE
            due, connection = queue[0]
            now = monotonic_ns()
            if due > now:
                return min(IDLE, (due - now) / _NANO)
            queue.popleft()
            if not connection.closed and self._emit(connection, due, now):
                nexts.append((due + gap, connection))
        return 0.0

    def _emit(self, connection: Connection, due: int, now: int) -> bool:
        """Send one event, or what the socket did not take before; whether there is more to come."""
        frames = connection.frames
        if connection.left and frames:
            connection.left -= 1
            data = frames.event(due, now) if connection.left else frames.end(due, now)
            if not connection.first_sent:
                connection.first_sent = now
                data = _HEAD + data
            if connection.unsent:
                data = connection.unsent + data
        else:
            data = connection.unsent
        try:
            taken = connection.sock.send(data)
        except BlockingIOError:
            taken = 0
        except OSError:
            self._close(connection)
            return False
        connection.unsent = data[taken:]
        if connection.left or connection.unsent:
            return True
        self._ended(connection, now)
        return False

    def _ended(self, connection: Connection, now: int) -> None:
        if self._log is not None:
            line = {"number": connection.number, "arrived": connection.arrived, "first": connection.first_sent}
            os.write(self._log, json.dumps({**line, "last": now}).encode() + b"\n")
        connection.frames, connection.first_sent = None, 0

    def _hear(self, descriptor: int) -> None:
        connection = self._connections.get(descriptor)
        if connection is None:
            self._accept()
            return
        try:
            data = connection.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        connection.request += data
        if (body := whole_request(connection.request)) is not None:
            connection.request = b""
            self._begin(connection, body)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                sock, _ = self._listener.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections[sock.fileno()] = Connection(sock)
                self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _begin(self, connection: Connection, body: bytes) -> None:
        arrived = monotonic_ns()
        tokens = wanted_tokens(body, self._pace.tokens)
        if tokens is None or connection.frames:
            with suppress(OSError):
                connection.sock.send(_REFUSED)
            self._close(connection)
            return
        connection.number, connection.arrived, connection.left = next(self._numbers), arrived, tokens
        connection.frames = Frames(connection.number, arrived)
        self._firsts.append((arrived + self._first, connection))

    def _close(self, connection: Connection) -> None:
        del self._connections[connection.sock.fileno()]
        connection.closed = True
        connection.sock.close()


def whole_request(data: bytes) -> bytes | None:
    """The body of the request in `data`; None while bytes are missing. A request without a length has no body."""
    head, mark, body = data.partition(b"\r\n\r\n")
    if not mark:
        return None
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    digits = rest.partition(b"\r\n")[0].strip()
    length = int(digits) if digits.isdigit() else 0
    return body[:length] if len(body) >= length else None


def wanted_tokens(body: bytes, usual: int) -> int | None:
    """`max_tokens` of a chat request, `usual` where it names none; None when it is no request for a stream."""
    try:
        asked: Any = json.loads(body)
    except ValueError:
        return None
    if not isinstance(asked, dict) or asked.get("stream") is not True:
        return None
    tokens = asked.get("max_completion_tokens") or asked.get("max_tokens") or usual
    return tokens if isinstance(tokens, int) and tokens > 0 else None


def pin(cpu: int | None) -> None:
    """Stay on one CPU; None leaves the choice to the kernel."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


def command(python: str, pace: Pace, *, cpu: int | None, log: Path | None = None) -> list[str]:
    """The command line that starts this server on a free port, which it prints."""
    words = [python, "-m", __name__, "--tokens", str(pace.tokens), "--first", f"{pace.first}s", "--gap", f"{pace.gap}s"]
    words += [] if cpu is None else ["--cpu", str(cpu)]
    return words + ([] if log is None else ["--log", str(log)])


def main(arguments: Mapping[str, Any]) -> NoReturn:
    """Listen on loopback, say on which port, and serve until killed."""
    import gc  # noqa: PLC0415 - whoever imports this file for its frames keeps their collector

    pin(arguments["cpu"])
    gc.disable()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pace = Pace(tokens=arguments["tokens"], first=arguments["first"], gap=arguments["gap"])
    log = arguments["log"] and os.open(arguments["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with socket.create_server(("127.0.0.1", arguments["port"]), backlog=_BACKLOG) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        Server(listener, pace, log).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A chat server on 127.0.0.1 that stamps every event it sends.")
    parser.add_argument("--port", type=int, default=0, help="0, the default: a free one, which is printed")
    parser.add_argument("--tokens", type=int, default=64, help="of an answer whose request names no max_tokens")
    parser.add_argument("--first", type=duration, default=0.02, help="from a request to its first token: 20ms")
    parser.add_argument("--gap", type=duration, default=0.02, help="from one token to the next: 20ms")
    parser.add_argument("--cpu", type=int, help="stay on this CPU")
    parser.add_argument("--log", help="write the times of each stream that ended into this file")
    return parser


if __name__ == "__main__":
    main(vars(_parser().parse_args()))
