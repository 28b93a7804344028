"""Some answers come slowly, as from an engine whose neighbour takes its share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import AnswerFault, parameter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.fault import Strike
    from refplatform.engine.wire.events import Event


class Slow(AnswerFault):
    """The answer waits before its first token, and before each later one."""

    client: ClassVar[str] = "longer time to first token, longer gaps, the right text"
    metrics: ClassVar[str] = "nothing: the tokens were made in time and wait behind the scheduler"
    end: ClassVar[str] = "answers under way go on at once"

    first: float = parameter(0.0, "before the first token, or a whole answer", unit="s", least=0, most=600)
    each: float = parameter(0.1, "before each later token", unit="s", least=0, most=60)

    async def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """Hold every token back."""
        tokens = 0
        async for event in events:
            if event.kind in {"token", "finish", "whole"} and strike.going:
                strike.hit("slowed", token=tokens)
                await strike.hold(self.each if tokens else self.first)
                tokens += 1
            yield event
