"""One answer on its way from the upstream: read by httptools, cut into events, and framed anew for the client."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import httptools

from holdfast.proxy.answers.toxic import Event
from holdfast.proxy.toxics.base import Ending, Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from holdfast.proxy.answers.toxic import Shape

_BLANK: Final = re.compile(rb"\r?\n\r?\n")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_LAST: Final = b"0\r\n\r\n"


class Answer:
    """Bytes of the upstream in, pieces for the client out. `over` when all of it has come."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.over = False
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._reason, self._status = b"", 0
        self._ready = self._streams = self._framed = self._whole = self._told = False
        self._rest = b""

    def feed(self, data: bytes, now: float) -> Iterable[Piece]:
        """Some of its bytes. Raises httptools.HttpParserError for what is no HTTP."""
        self._body.clear()
        self._parser.feed_data(data)
        return list(self._pieces(now))

    def eof(self, now: float) -> Iterable[Piece]:
        """The upstream has no more to say: a body without a length ends so, any other one is cut short."""
        if not self._ready or self._framed:
            return (Piece(now, Ending.CLOSE if self._ready else Ending.EOF),)
        self._body.clear()
        self._whole = True
        return [*self._pieces(now), Piece(now, Ending.EOF)]

    # What httptools tells.

    def on_status(self, reason: bytes) -> None:
        """The words of the status line."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """As they came."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """What kind of answer it is."""
        found = {name.lower(): value for name, value in self._headers}
        self._status, self._ready = self._parser.get_status_code(), True
        self._streams = found.get(b"content-type", b"").startswith(b"text/event-stream")
        self._framed = bool(_FRAMING & found.keys())

    def on_body(self, data: bytes) -> None:
        """Without the framing of chunks."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """All of it."""
        self._whole = True

    def _pieces(self, now: float) -> Iterator[Piece]:
        if not self._ready:
            return
        self._rest += b"".join(self._body)
        if self._streams:
            yield from self._events(now)
        elif self._whole:
            yield from self._document(now)
        self.over = self._whole

    def _events(self, now: float) -> Iterator[Piece]:
        if not self._told:
            self._told = True
            yield Piece(now, self._head((b"transfer-encoding", b"chunked")))
        while found := _BLANK.search(self._rest):
            event, self._rest = self._rest[: found.end()], self._rest[found.end() :]
            yield from map(_chunk, self.shape.event(_event(event), now))
        if self._whole:
            yield from map(_chunk, self.shape.event(Event(self._rest), now) if self._rest else ())
            yield Piece(now, _LAST)

    def _document(self, now: float) -> Iterator[Piece]:
        pieces = list(self.shape.whole(self._rest, now))
        length = sum(len(one.what) for one in pieces if not isinstance(one.what, Ending))
        if pieces and not isinstance(pieces[0].what, Ending):
            yield Piece(pieces[0].due, self._head((b"content-length", b"%d" % length)))
        yield from pieces

    def _head(self, framing: tuple[bytes, bytes]) -> bytes:
        kept = [one for one in self._headers if one[0].lower() not in _FRAMING]
        lines = [b"HTTP/1.1 %d %s" % (self._status, self._reason), *(b"%s: %s" % one for one in (*kept, framing))]
        return b"\r\n".join([*lines, b"", b""])


def _chunk(piece: Piece) -> Piece:
    if isinstance(piece.what, Ending) or not piece.what:
        return piece
    return Piece(piece.due, b"%x\r\n%s\r\n" % (len(piece.what), piece.what))


def _event(data: bytes) -> Event:
    return Event(data, token=_token(said(data)))


def said(data: bytes) -> dict[str, Any]:
    """The JSON object of an event or a body; empty when it is none."""
    try:
        found = json.loads(data.strip().removeprefix(b"data:"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _token(said: dict[str, Any]) -> bool:
    choices = said.get("choices")
    return isinstance(choices, list) and any(_text(one) for one in choices if isinstance(one, dict))


def _text(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta")
    kept = delta if isinstance(delta, dict) else {}
    return any((choice.get("text"), kept.get("content"), kept.get("reasoning_content"), kept.get("tool_calls")))
