"""`slow`: an answer waits `first` seconds before its first token, and `each` before each later one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.answers.toxic import AnswerToxic, Event, Shape
from holdfast.proxy.toxics.base import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Slow(AnswerToxic):
    """Seconds, as at the engine's own door. When it goes, answers under way go on at once."""

    first: float = Field(0.0, ge=0, le=600, description="seconds before the first token, or a whole answer")
    each: float = Field(0.0, ge=0, le=60, description="seconds before each later token")

    def shape(self, hit: Callable[[], None]) -> Shape:
        """Each answer has its own pace."""
        return _Late(hit, self.first, self.each)


class _Late(Shape):
    def __init__(self, hit: Callable[[], None], first: float, each: float) -> None:
        super().__init__(hit)
        self._wait, self._each, self._free = first, each, 0.0

    def event(self, event: Event, now: float) -> Iterable[Piece]:
        """Due after the one before it, and the wait."""
        if not event.token:
            return super().event(event, now)
        self.hit()
        self._free, self._wait = max(self._free, now) + self._wait, self._each
        return (Piece(self._free, event.data),)

    def whole(self, body: bytes, now: float) -> Iterable[Piece]:
        """As late as a first token."""
        self.hit()
        return (Piece(now + self._wait, body),)


TOXIC = Slow
