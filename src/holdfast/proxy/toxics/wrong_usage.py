"""`wrong_usage`: the tokens that an answer says it has are `off` more than it says, or fewer; never below 0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.proxy.answers.answer import said
from holdfast.proxy.answers.toxic import AnswerToxic, Event, Shape
from holdfast.proxy.toxics.base import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class WrongUsage(AnswerToxic):
    """What does not tell its usage is not touched."""

    off: int = Field(100, description="tokens that are added")

    def shape(self, hit: Callable[[], None]) -> Shape:
        """Rewrites."""
        return _Miscounts(hit, self.off)


class _Miscounts(Shape):
    def __init__(self, hit: Callable[[], None], off: int) -> None:
        super().__init__(hit)
        self._off = off

    def event(self, event: Event, now: float) -> Iterable[Piece]:
        """An event that tells usage is written anew."""
        wrong = self._wrong(event.data)
        return (Piece(now, b"data: " + wrong + b"\n\n"),) if wrong else super().event(event, now)

    def whole(self, body: bytes, now: float) -> Iterable[Piece]:
        """So is a body."""
        return (Piece(now, self._wrong(body) or body),)

    def _wrong(self, data: bytes) -> bytes:
        """Empty when there is nothing to miscount."""
        found = said(data)
        usage = found.get("usage")
        if not isinstance(usage, dict) or not isinstance(usage.get("completion_tokens"), int):
            return b""
        told = max(0, usage["completion_tokens"] + self._off)
        usage["total_tokens"] = usage.get("total_tokens", 0) + told - usage["completion_tokens"]
        usage["completion_tokens"] = told
        self.hit()
        return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()


TOXIC = WrongUsage
