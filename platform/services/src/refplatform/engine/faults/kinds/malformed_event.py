"""Some events are no JSON: a worker that wrote half of one, a proxy that cut at a buffer's end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import AnswerFault, parameter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.fault import Strike
    from refplatform.engine.wire.events import Event


class MalformedEvent(AnswerFault):
    """One event of the stream is cut in half; those around it are whole."""

    client: ClassVar[str] = "status 200, one event that is no JSON, then the rest and [DONE]; or half a whole answer"
    metrics: ClassVar[str] = "nothing: a success"
    end: ClassVar[str] = "new answers are whole"

    tokens: int = parameter(2, "that come before the broken one", unit="tokens", least=0, most=10**6)

    async def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """Break one event."""
        tokens = 0
        async for event in events:
            counted = event.kind in {"token", "finish"}
            if strike.going and (event.kind == "whole" or (counted and tokens == self.tokens)):
                strike.hit("malformed", token=tokens)
                yield replace(event, data=_half(event.data))
            else:
                yield event
            tokens += counted


def _half(data: bytes) -> bytes:
    text = data.rstrip(b"\n")
    return text[: len(text) // 2] + data[len(text) :]
