"""One connection under one toxic of answers: requests are read on their way up, picked ones' answers on theirs down.

A client has one request under way on a connection; one that sends several at once has them passed on untouched. Where
the toxic came in the middle of something, that is passed on as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

from holdfast.proxy.answers.answer import Answer
from holdfast.proxy.answers.toxic import Ask, Shape
from holdfast.proxy.toxics.base import Ending, Piece, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdfast.proxy.answers.toxic import AnswerToxic, Picks

_ROOM = 2**22


class Talk:
    """`toxic` says what the toxic is now; `back` brings bytes to the client."""

    def __init__(self, toxic: Callable[[], AnswerToxic], picks: Picks) -> None:
        self.toxic, self.picks = toxic, picks
        self.asks, self.answers = Asks(self), Answers()
        self.back: Callable[[Iterable[Piece]], None] = lambda _: None
        self.over = False

    def came(self, ask: Ask, raw: bytes, now: float) -> Iterable[Piece]:
        """A request: what of it goes up."""
        toxic, waits = self.toxic(), self.answers.now is None
        if self.over or not waits or not toxic.pick.matches(ask) or not self.picks.takes(toxic.pick):
            return (Piece(now, raw),)
        if instead := toxic.instead():
            self._hit()
            self.back((Piece(now, instead),))
            return ()
        if toxic.swallows:
            self._hit()
            self.asks.kept = raw
            return ()
        self.answers.now = Answer(toxic.shape(_Once(self._hit)))
        return (Piece(now, raw),)

    def end(self, then: Callable[[], object]) -> None:
        """The toxic is gone: an answer under way goes on as it is, and `then` nothing of this is needed."""
        self.over = True
        if self.answers.now is None:
            then()
            return
        self.answers.now.shape, self.answers.then = Shape(self._hit), then

    def _hit(self) -> None:
        self.picks.struck += 1


class _Once:
    """Counts an answer once, whatever is done to it."""

    def __init__(self, hit: Callable[[], None]) -> None:
        self._hit, self._done = hit, False

    def __call__(self) -> None:
        if not self._done:
            self._done = True
            self._hit()


class Asks(Stage):
    """Keeps a request until it is whole. `kept` is one that was swallowed."""

    room = _ROOM

    def __init__(self, talk: Talk) -> None:
        self.kept: bytes = b""
        self._raw: bytes = b""
        self._talk = talk
        self._begin()

    def take(self, data: bytes, now: float) -> Iterable[Piece]:
        """What of it goes up, once that is known."""
        self._raw += data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._count = -1
        if not self._count and b"expect" not in self._headers:
            return ()
        raw, ask = self._raw, self._ask()
        self._begin()
        return (Piece(now, raw),) if ask is None else self._talk.came(ask, raw, now)

    def _ask(self) -> Ask | None:
        """The one request that came; None for several, half of one, or what is none."""
        if self._count != 1:
            return None
        return Ask(self._parser.get_method(), self._path, self._headers, self._body)

    def end(self, now: float) -> Iterable[Piece]:
        """The client has no more to say: what waits goes up, what was swallowed does not."""
        self.kept = b""
        if rest := self.rest():
            yield Piece(now, rest)
        yield Piece(now, Ending.EOF)

    def rest(self) -> bytes:
        """What the toxic leaves behind when it goes."""
        rest, self._raw, self.kept = self.kept + self._raw, b"", b""
        return rest

    # What httptools tells.

    def on_url(self, data: bytes) -> None:
        """In pieces, perhaps."""
        self._path += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """The last one of a name counts."""
        self._headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        """In pieces, perhaps."""
        self._body += data

    def on_message_complete(self) -> None:
        """There should be one."""
        self._count += 1

    def _begin(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._raw, self._path, self._body = b"", b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._count = 0


class Answers(Stage):
    """Passes answers on; `now` is the one that is picked."""

    room = _ROOM

    def __init__(self) -> None:
        self.now: Answer | None = None
        self.then: Callable[[], object] = lambda: None

    def take(self, data: bytes, now: float) -> Iterable[Piece]:
        """What of it goes down."""
        if self.now is None:
            return (Piece(now, data),)
        try:
            pieces = self.now.feed(data, now)
        except httptools.HttpParserError:
            self.now = None  # nobody can tell where it ends: a client must not take it for whole
            return (Piece(now, Ending.CLOSE),)
        if self.now.over:
            self.now = None
            self.then()
        return pieces

    def end(self, now: float) -> Iterable[Piece]:
        """The upstream has no more to say."""
        answer, self.now = self.now, None
        return (Piece(now, Ending.EOF),) if answer is None else answer.eof(now)
