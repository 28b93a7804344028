"""A streaming HTTP/1.1 client on gevent: each read is stamped as it returns; what it means is asked later."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import gevent.socket as gsocket
import httptools

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_BYTES: Final = 65536
FIRST_FINAL_STATUS: Final = 200
"""Below are the informational answers of RFC 9110, section 15.2, that come before the real one."""
Failure = Literal["connect", "timeout", "cut", "malformed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds a request may take: to connect, from sent to the first byte, between two reads, and in all."""

    connect: float
    first_byte: float
    gap: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What came back: body bytes with the monotonic second of their read, and why it ended early if it did.

    Failures: `connect`, refused or closed before any header; `timeout`, a deadline passed; `cut`, closed before the
    body's end; `malformed`, not HTTP. None means that the whole body came.
    """

    status: int | None
    content_type: str
    chunks: tuple[tuple[float, bytes], ...]
    ended: float
    failure: Failure | None = None
    error: str = ""
    reused: bool = False

    @property
    def body(self) -> bytes:
        """All body bytes."""
        return b"".join(data for _, data in self.chunks)


class _EndedError(Exception):
    """The exchange ended early; carried to the one place that builds the Exchange."""

    def __init__(self, failure: Failure, error: str) -> None:
        super().__init__(error)
        self.failure, self.error = failure, error


@dataclass(slots=True)
class _Reply:
    """Receives httptools' callbacks for one response."""

    parser: httptools.HttpResponseParser = field(init=False)
    now: float = 0.0
    status: int | None = None
    headers: dict[bytes, bytes] = field(default_factory=dict)
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    complete: bool = False
    keep_alive: bool = False
    extra: bool = False

    def __post_init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        self.extra = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status < FIRST_FINAL_STATUS:
            self.headers.clear()
        elif self.status is None:
            self.status = status

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.chunks.append((self.now, data))

    def on_message_complete(self) -> None:
        self.complete = self.status is not None
        # Asked here, because the parser forgets it once the message is over.
        self.keep_alive = self.parser.should_keep_alive()

    def closed(self) -> None:
        """The peer closed: the proper end only of a body that nothing else delimits (RFC 9112, section 6.3)."""
        delimited = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        if self.status is not None and not delimited:
            self.complete = True
        elif self.status is None:
            raise _EndedError("connect", "closed before any header")
        else:
            raise _EndedError("cut", "closed before the end of the body")

    def reusable(self) -> bool:
        return self.complete and self.keep_alive and not self.extra


class Client:
    """POSTs to one server, keeping connections alive; many greenlets may use it at once.

    It never retries: a request that failed is a result. Idle connections that the server has closed meanwhile, or that
    idled longer than `idle` seconds, are replaced before use, so that their end is not taken for a failure.
    Raises ValueError for a URL that is not http(s), OSError when its name does not resolve.
    """

    def __init__(self, url: str, *, deadlines: Deadlines, idle: float = 3.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"expected a URL such as http://127.0.0.1:8080, got {url!r}")
        self._deadlines, self._idle = deadlines, idle
        self._host, self._prefix = parts.hostname, parts.path.rstrip("/")
        self._netloc = parts.netloc.rpartition("@")[2]
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = _tls_context() if parts.scheme == "https" else None
        # Resolved once: a look-up per connection would go through a thread pool and be timed as the server's.
        self._addresses = gsocket.getaddrinfo(self._host, port, type=gsocket.SOCK_STREAM)
        self._pool: list[tuple[float, Any]] = []

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Exchange:
        """Send one request and read its answer to the end, or to what ended it."""
        reply, began = _Reply(), time.monotonic()
        sock, ended, keep = self._idle_connection(), None, False
        reused = sock is not None
        try:
            sock = sock or self._connect(began)
            self._send(sock, self._head(path, len(body), headers) + body, began)
            self._receive(sock, reply, began)
            keep = reply.reusable()
        except _EndedError as end:
            ended = end
        finally:
            self._put_back(sock, keep=keep)
        return Exchange(
            status=reply.status,
            content_type=reply.headers.get(b"content-type", b"").decode("latin-1"),
            chunks=tuple(reply.chunks),
            ended=time.monotonic() if ended else reply.now,
            failure=ended.failure if ended else None,
            error=ended.error if ended else "",
            reused=reused,
        )

    def close(self) -> None:
        """Close the idle connections."""
        while self._pool:
            self._pool.pop()[1].close()

    def _head(self, path: str, length: int, headers: Mapping[str, str]) -> bytes:
        lines = [f"POST {self._prefix}{path} HTTP/1.1", f"host: {self._netloc}", f"content-length: {length}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _idle_connection(self) -> Any | None:
        while self._pool:
            since, sock = self._pool.pop()
            if time.monotonic() - since < self._idle and (self._tls or _silent(sock)):
                return sock
            sock.close()
        return None

    def _connect(self, began: float) -> Any:
        left = min(self._deadlines.connect, self._deadlines.total)
        error: OSError = ConnectionError("no address")
        for family, kind, protocol, _, address in self._addresses:
            sock = gsocket.socket(family, kind, protocol)
            try:
                sock.settimeout(max(0.001, began + left - time.monotonic()))
                sock.connect(address)
                sock.setsockopt(gsocket.IPPROTO_TCP, gsocket.TCP_NODELAY, 1)
                return self._tls.wrap_socket(sock, server_hostname=self._host) if self._tls else sock
            except OSError as failed:
                sock.close()
                error = failed
            except BaseException:
                sock.close()
                raise
        if isinstance(error, TimeoutError):
            raise _EndedError("timeout", f"no connection within {left:g}s") from error
        raise _EndedError("connect", f"connecting: {error}") from error

    def _send(self, sock: Any, data: bytes, began: float) -> None:
        sock.settimeout(self._left(began))
        try:
            sock.sendall(data)
        except TimeoutError as late:
            raise _EndedError("timeout", f"not sent within {self._deadlines.total:g}s") from late
        except OSError:
            # A server may answer 429 and close without reading the body: its answer is still to be read.
            return

    def _receive(self, sock: Any, reply: _Reply, began: float) -> None:
        while not reply.complete:
            waiting = ("byte after the last", self._deadlines.gap)
            if not reply.now:
                waiting = ("first byte", self._deadlines.first_byte)
            data = self._read(sock, reply, waiting, self._left(began))
            reply.now = time.monotonic()
            if not data:
                reply.closed()
                return
            try:
                reply.parser.feed_data(data)
            except httptools.HttpParserError as error:
                raise _EndedError("malformed", f"not HTTP: {error}") from error

    def _read(self, sock: Any, reply: _Reply, waiting: tuple[str, float], left: float) -> bytes:
        what, limit = waiting
        sock.settimeout(min(limit, left))
        try:
            data: bytes = sock.recv(READ_BYTES)
        except TimeoutError as late:
            text = f"no {what} within {limit:g}s" if limit < left else f"not done within {self._deadlines.total:g}s"
            raise _EndedError("timeout", text) from late
        except OSError as error:
            raise _EndedError("connect" if reply.status is None else "cut", f"reading: {error}") from error
        return data

    def _left(self, began: float) -> float:
        return max(0.001, began + self._deadlines.total - time.monotonic())

    def _put_back(self, sock: Any | None, *, keep: bool) -> None:
        if sock is not None and keep:
            self._pool.append((time.monotonic(), sock))
        elif sock is not None:
            sock.close()


def _silent(sock: Any) -> bool:
    """Whether an idle connection has nothing to read: neither its end nor bytes nobody asked for."""
    sock.settimeout(0)
    try:
        sock.recv(1, gsocket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _tls_context() -> Any:
    from gevent.ssl import create_default_context  # noqa: PLC0415  (slow to import, and seldom needed)

    return create_default_context()
