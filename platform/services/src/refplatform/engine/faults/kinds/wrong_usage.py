"""Some answers count their tokens wrongly: whoever bills by `usage` bills too much or too little."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import orjson

from refplatform.engine.faults.fault import AnswerFault, parameter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.fault import Strike
    from refplatform.engine.wire.events import Event

FRAME = b"data: "


class WrongUsage(AnswerFault):
    """`usage` says that the answer has more tokens than it has, or fewer."""

    client: ClassVar[str] = "the right text; usage.completion_tokens and total_tokens are off by `off`"
    metrics: ClassVar[str] = "the right counts: vllm:generation_tokens_total and the clients' sums part"
    end: ClassVar[str] = "answers under way count rightly"

    off: int = parameter(100, "added to what the answer has, never below 0", unit="tokens", least=-(10**6), most=10**6)

    async def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """Change the counts where they are told."""
        tokens = 0
        async for event in events:
            if event.kind in {"usage", "whole"} and strike.going:
                strike.hit(f"usage off by {self.off}", token=tokens)
                yield replace(event, data=self._wrong(event.data))
            else:
                yield event
            tokens += event.kind in {"token", "finish"}

    def _wrong(self, data: bytes) -> bytes:
        framed = data.startswith(FRAME)
        value = orjson.loads(data.removeprefix(FRAME))
        usage = value["usage"]
        usage["completion_tokens"] = max(0, usage["completion_tokens"] + self.off)
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        return FRAME + orjson.dumps(value) + b"\n\n" if framed else orjson.dumps(value)
