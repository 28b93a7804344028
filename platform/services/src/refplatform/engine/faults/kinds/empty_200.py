"""Some answers are empty though the status says 200: a decoder failed, and the API did not look (gray failure)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import AnswerFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.fault import Strike
    from refplatform.engine.wire.events import Event


class Empty200(AnswerFault):
    """The answer takes its time and then has status 200 and no body."""

    client: ClassVar[str] = "status 200, no byte of a body, no event; a check of the status alone sees nothing"
    metrics: ClassVar[str] = "nothing: a success"
    end: ClassVar[str] = "new answers are whole"

    async def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """Swallow everything."""
        tokens, silent = 0, strike.going
        async for event in events:
            if silent:
                strike.hit("emptied", token=tokens)
                if event.kind == "whole":
                    yield replace(event, data=b"")
            else:
                yield event
            tokens += event.kind in {"token", "finish"}
