"""`malformed_event`: one event of a stream, after `tokens` tokens, is cut in half; those around it are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.answers.toxic import AnswerToxic, Event, Shape
from holdfast.proxy.toxics.base import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class MalformedEvent(AnswerToxic):
    """An answer that is no stream loses its second half."""

    tokens: int = Field(2, ge=0, description="events with text that come before")

    def shape(self, hit: Callable[[], None]) -> Shape:
        """Counts."""
        return _Breaks(hit, self.tokens)


class _Breaks(Shape):
    def __init__(self, hit: Callable[[], None], tokens: int) -> None:
        super().__init__(hit)
        self._left = tokens

    def event(self, event: Event, now: float) -> Iterable[Piece]:
        """Half of one, once."""
        self._left -= event.token
        if self._left >= 0 or not event.token:
            return super().event(event, now)
        self._left = 10**9
        self.hit()
        return (Piece(now, event.data[: len(event.data) // 2] + b"\n\n"),)

    def whole(self, body: bytes, now: float) -> Iterable[Piece]:
        """Half of it."""
        self.hit()
        return (Piece(now, body[: len(body) // 2]),)


TOXIC = MalformedEvent
