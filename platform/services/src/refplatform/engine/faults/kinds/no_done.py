"""Some streams end without their end mark: to a careless client they look whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import AnswerFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.fault import Strike
    from refplatform.engine.wire.events import Event


class NoDone(AnswerFault):
    """The stream ends properly as HTTP goes, but [DONE] is missing."""

    client: ClassVar[str] = "all tokens and the finish reason, no [DONE]; whole answers are not touched"
    metrics: ClassVar[str] = "nothing: a success"
    end: ClassVar[str] = "streams under way end with [DONE]"

    async def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """Leave the mark away."""
        tokens = 0
        async for event in events:
            if event.kind == "done" and strike.going:
                strike.hit("left [DONE] away", token=tokens)
            else:
                yield event
            tokens += event.kind in {"token", "finish"}
