"""`cut`: the connection is closed after `tokens` tokens of an answer; one that is no stream is not begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.answers.toxic import AnswerToxic, Event, Shape
from holdfast.proxy.toxics.base import Ending, Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Cut(AnswerToxic):
    """The client sees a body without its end."""

    tokens: int = Field(5, ge=0, description="events with text that come before")

    def shape(self, hit: Callable[[], None]) -> Shape:
        """Counts."""
        return _Cuts(hit, self.tokens)


class _Cuts(Shape):
    def __init__(self, hit: Callable[[], None], tokens: int) -> None:
        super().__init__(hit)
        self._left = tokens

    def event(self, event: Event, now: float) -> Iterable[Piece]:
        """The event after the last one is the end."""
        if self._left == 0 and (event.token or event.done):
            return self.whole(b"", now)
        self._left -= event.token
        return super().event(event, now)

    def whole(self, body: bytes, now: float) -> Iterable[Piece]:  # noqa: ARG002 - none of it comes
        """Not a byte."""
        self.hit()
        return (Piece(now, Ending.CLOSE),)


TOXIC = Cut
