"""A streaming HTTP/1.1 client on gevent: each read is stamped as it returns; what it means is asked later."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import gevent.socket as gsocket

from holdfast.load.listen import READ_BYTES, Deadlines, Listener
from holdfast.load.reply import EndedError, Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Client", "Deadlines", "Exchange", "Trust"]

_OWN_FAULT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
"""Errors of connecting that say nothing about the server: this machine has no file, port or buffer left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What came back: body bytes with the monotonic second of their read, and why it ended early if it did.

    `sent` is when the client turned to the network, `written` when the kernel had taken the last byte, `headers` when
    the read returned that completed the answer's headers. Failures: `starved`, this machine had no port or file left,
    and nothing was sent; `connect`, refused or closed before any header; `timeout`, a deadline passed; `cut`, closed
    before the body's end; `malformed`, not HTTP, or without end. None means that the whole body came.
    """

    status: int | None
    content_type: str
    chunks: tuple[tuple[float, bytes], ...]
    sent: float
    ended: float
    written: float | None = None
    headers: float | None = None
    failure: Failure | None = None
    error: str = ""
    reused: bool = False

    @property
    def body(self) -> bytes:
        """All body bytes."""
        return b"".join(data for _, data in self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose certificates are believed: the system's, those of `ca_file`, or with `insecure` anybody's."""

    ca_file: str | None = None
    insecure: bool = False


class Client:
    """Sends requests to one server over HTTP/1.1; many greenlets may use it at once.

    It never retries: a request that failed is a result. With `reuse` connections are kept alive. Idle ones that the
    server has closed meanwhile, or that idled longer than `idle` seconds, are replaced before use, so that their end is
    not taken for a failure. Raises ValueError for a URL that is not http(s), OSError when its name does not resolve or
    the file of certificates cannot be read.
    """

    def __init__(
        self, url: str, *, deadlines: Deadlines, idle: float = 3.0, reuse: bool = True, trust: Trust | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"expected a URL such as http://127.0.0.1:8080, got {url!r}")
        self._deadlines, self._idle, self._reuse = deadlines, idle, reuse
        self._host, self._prefix = parts.hostname, parts.path.rstrip("/")
        self._netloc = parts.netloc.rpartition("@")[2]
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = _tls_context(trust or Trust()) if parts.scheme == "https" else None
        # Resolved once: a look-up per connection would go through a thread pool and be timed as the server's.
        self._addresses = gsocket.getaddrinfo(self._host, port, type=gsocket.SOCK_STREAM)
        self._pool: list[tuple[float, Any]] = []

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Exchange:
        """Send one request and read its answer to the end, or to what ended it."""
        return self._exchange(self._head("POST", path, {"content-length": str(len(body)), **headers}) + body)

    def get(self, path: str, headers: Mapping[str, str]) -> Exchange:
        """The same for a request without a body."""
        return self._exchange(self._head("GET", path, headers))

    def _exchange(self, request: bytes) -> Exchange:
        reply, began = Reply(), time.monotonic()
        failure: Failure | None = None
        sock, error, keep = self._idle_connection(), "", False
        reused = sock is not None
        try:
            sock = sock or self._connect(began)
            self._send(sock, reply, request, began)
            self._receive(sock, reply, began)
            keep = self._reuse and reply.reusable()
        except EndedError as end:
            failure, error = end.failure, end.error
        finally:
            self._put_back(sock, keep=keep)
            reply.close()
        return Exchange(
            status=reply.status,
            content_type=reply.headers.get(b"content-type", b"").decode("latin-1"),
            chunks=tuple(reply.chunks),
            sent=began,
            written=reply.written,
            headers=reply.headed,
            ended=time.monotonic() if failure else reply.now,
            failure=failure,
            error=error,
            reused=reused,
        )

    def close(self) -> None:
        """Close the idle connections."""
        while self._pool:
            self._pool.pop()[1].close()

    def _head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", f"host: {self._netloc}"]
        lines += [] if self._reuse else ["connection: close"]
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
            try:
                sock = gsocket.socket(family, kind, protocol)
            except OSError as failed:
                error = failed
                break
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
        raise _unconnected(error, left) from error

    def _send(self, sock: Any, reply: Reply, data: bytes, began: float) -> None:
        sock.settimeout(self._left(began))
        try:
            sock.sendall(data)
            reply.written = time.monotonic()
        except TimeoutError as late:
            raise EndedError("timeout", f"not sent within {self._deadlines.total:g}s") from late
        except OSError:
            # A server may answer 429 and close without reading the body: its answer is still to be read.
            return

    def _receive(self, sock: Any, reply: Reply, began: float) -> None:
        if self._tls is None:
            Listener(sock, reply, self._deadlines, began).wait()
            return
        while not reply.complete:
            data = self._read(sock, reply, began)
            reply.take(time.monotonic(), data)

    def _read(self, sock: Any, reply: Reply, began: float) -> bytes:
        what, limit, left = "byte after the last", self._deadlines.gap, self._left(began)
        wait = limit
        if not reply.now:
            what, limit = "first byte", self._deadlines.first_byte
            wait = max(0.001, began + limit - time.monotonic())
        sock.settimeout(min(wait, left))
        try:
            data: bytes = sock.recv(READ_BYTES)
        except TimeoutError as late:
            text = f"no {what} within {limit:g}s" if wait < left else f"not done within {self._deadlines.total:g}s"
            raise EndedError("timeout", text) from late
        except OSError as error:
            raise EndedError("connect" if reply.status is None else "cut", f"reading: {error}") from error
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


def _unconnected(error: OSError, left: float) -> EndedError:
    if isinstance(error, TimeoutError):
        return EndedError("timeout", f"no connection within {left:g}s")
    return EndedError("starved" if error.errno in _OWN_FAULT else "connect", f"connecting: {error}")


def _tls_context(trust: Trust) -> Any:
    from gevent.ssl import CERT_NONE, create_default_context  # noqa: PLC0415  (slow to import, and seldom needed)

    context = create_default_context(cafile=trust.ca_file)
    if trust.insecure:
        context.check_hostname = False
        context.verify_mode = CERT_NONE
    return context
