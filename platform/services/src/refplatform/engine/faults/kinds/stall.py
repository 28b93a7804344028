"""Some streams stop in the middle and stay open: a worker that waits for ever for one that is gone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import AnswerFault, parameter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.fault import Strike
    from refplatform.engine.wire.events import Event


class Stall(AnswerFault):
    """After so many tokens nothing more comes; the connection stays open."""

    client: ClassVar[str] = "silence in the middle of a stream until its own deadline; a whole answer never begins"
    metrics: ClassVar[str] = "nothing: the request ends in the scheduler"
    end: ClassVar[str] = "streams under way go on, with nothing lost"

    tokens: int = parameter(5, "that come before the silence", unit="tokens", least=0, most=10**6)

    async def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """Hold the rest back until the fault ends."""
        tokens = 0
        async for event in events:
            counted = event.kind in {"token", "finish"}
            if strike.going and (event.kind == "whole" or (counted and tokens == self.tokens)):
                strike.hit("stalled", token=tokens)
                await strike.hold(math.inf)
            tokens += counted
            yield event
