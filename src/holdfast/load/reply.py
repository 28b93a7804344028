"""One HTTP/1.1 answer as it is read: parsed by httptools, each piece of its body with the second of its read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import httptools

Failure = Literal["starved", "connect", "timeout", "cut", "malformed"]
FIRST_FINAL_STATUS: Final = 200
"""Below are the informational answers of RFC 9110, section 15.2, that come before the real one."""
BODY_BYTES: Final = 64 * 1024 * 1024
"""An answer longer than this is given up: a thousand endless answers must not fill the client's memory."""


class EndedError(Exception):
    """The exchange ended early: how, and in words."""

    def __init__(self, failure: Failure, error: str) -> None:
        super().__init__(error)
        self.failure, self.error = failure, error


@dataclass(slots=True)
class Reply:
    """Receives httptools' callbacks for one response; `now` is the second of the latest read."""

    parser: httptools.HttpResponseParser = field(init=False)
    now: float = 0.0
    written: float | None = None
    headed: float | None = None
    size: int = 0
    status: int | None = None
    headers: dict[bytes, bytes] = field(default_factory=dict)
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    complete: bool = False
    keep_alive: bool = False
    extra: bool = False

    def __post_init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        """A message after the whole one is more than was asked for."""
        self.extra = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field."""
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The headers of the answer, or of an informational one before it."""
        status = self.parser.get_status_code()
        if status < FIRST_FINAL_STATUS:
            self.headers.clear()
        elif self.status is None:
            self.status, self.headed = status, self.now

    def on_body(self, data: bytes) -> None:
        """A piece of the body, from the latest read."""
        if not self.complete:
            self.chunks.append((self.now, data))
            self.size += len(data)

    def on_message_complete(self) -> None:
        """The end of the message."""
        self.complete = self.status is not None
        # Asked here, because the parser forgets it once the message is over.
        self.keep_alive = self.parser.should_keep_alive()

    def closed(self) -> None:
        """The peer closed: the proper end only of a body that nothing else delimits (RFC 9112, section 6.3)."""
        delimited = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        if self.status is not None and not delimited:
            self.complete = True
        elif self.status is None:
            raise EndedError("connect", "closed before any header")
        else:
            raise EndedError("cut", "closed before the end of the body")

    def take(self, now: float, data: bytes) -> None:
        """What a read returned, empty when the peer has closed. Raises EndedError for what is no whole answer."""
        self.now = now
        if not data:
            self.closed()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise EndedError("malformed", f"not HTTP: {error}") from error
        if self.size > BODY_BYTES:
            raise EndedError("malformed", f"an answer of more than {BODY_BYTES >> 20} MiB")

    def reusable(self) -> bool:
        """Whether the connection may be used again."""
        return self.complete and self.keep_alive and not self.extra

    def close(self) -> None:
        """Let go of the parser: it and this hold each other, and under load no collector comes for circles."""
        del self.parser
