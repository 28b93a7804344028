"""Some connections break in the middle of the answer: a process that died, a proxy that was restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import AnswerFault, parameter
from refplatform.engine.wire.events import CutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.fault import Strike
    from refplatform.engine.wire.events import Event


class Cut(AnswerFault):
    """After so many tokens the connection is closed, without an end of the body."""

    client: ClassVar[str] = "status 200, then the connection closes before the body ends; a whole answer has no byte"
    metrics: ClassVar[str] = 'vllm:request_success_total{finished_reason="abort"} rises, as for a client that left'
    end: ClassVar[str] = "new answers are whole"

    tokens: int = parameter(5, "that come before the break", unit="tokens", least=0, most=10**6)

    async def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """Break off."""
        tokens = 0
        async for event in events:
            counted = event.kind in {"token", "finish"}
            if strike.going and (event.kind == "whole" or (counted and tokens == self.tokens)):
                strike.hit("cut", token=tokens)
                raise CutError
            tokens += counted
            yield event
