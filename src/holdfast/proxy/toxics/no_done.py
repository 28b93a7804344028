"""`no_done`: a stream ends properly as HTTP goes, but without its end mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.proxy.answers.toxic import AnswerToxic, Event, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdfast.proxy.toxics.base import Piece


class NoDone(AnswerToxic):
    """Answers that are no streams are not touched."""

    def shape(self, hit: Callable[[], None]) -> Shape:
        """Drops the mark."""
        return _Forgets(hit)


class _Forgets(Shape):
    def event(self, event: Event, now: float) -> Iterable[Piece]:
        """All but one."""
        if not event.done:
            return super().event(event, now)
        self.hit()
        return ()


TOXIC = NoDone
