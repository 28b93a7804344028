"""`stall`: nothing more comes after `tokens` tokens of an answer, and the connection stays open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.answers.toxic import AnswerToxic, Event, Shape
from holdfast.proxy.toxics.base import NEVER, Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Stall(AnswerToxic):
    """When it goes, streams under way go on, and nothing is lost."""

    tokens: int = Field(5, ge=0, description="events with text that come before")

    def shape(self, hit: Callable[[], None]) -> Shape:
        """Counts."""
        return _Stalls(hit, self.tokens)


class _Stalls(Shape):
    def __init__(self, hit: Callable[[], None], tokens: int) -> None:
        super().__init__(hit)
        self._left = tokens

    def event(self, event: Event, now: float) -> Iterable[Piece]:
        """What comes after one that never comes waits with it."""
        if self._left == 0 and (event.token or event.done):
            return self.whole(event.data, now)
        self._left -= event.token
        return super().event(event, now)

    def whole(self, body: bytes, now: float) -> Iterable[Piece]:  # noqa: ARG002 - not before the toxic goes
        """Never begins."""
        self.hit()
        return (Piece(NEVER, body),)


TOXIC = Stall
