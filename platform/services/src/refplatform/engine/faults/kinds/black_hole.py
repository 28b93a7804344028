"""Some requests are taken and never answered: not a header, not a byte, and the connection stays open."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import AnswerFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.fault import Strike
    from refplatform.engine.wire.events import Event


class BlackHole(AnswerFault):
    """The request is read whole, and nothing comes back."""

    client: ClassVar[str] = "connects, sends, and gets no header until its own deadline; /health says 200"
    metrics: ClassVar[str] = "nothing: the request ends in the scheduler"
    end: ClassVar[str] = "what has waited is answered whole, late"

    async def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """Keep everything back until the fault ends."""
        if strike.going:
            strike.hit("swallowed", token=0)
            await strike.hold(math.inf)
        async for event in events:
            yield event
