"""Most of the KV cache is not there for requests: a leak, or a neighbour in the same memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import EngineFault, parameter

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class KvExhaustion(EngineFault):
    """So much of the KV cache is withheld; running requests lose their blocks when they must grow."""

    client: ClassVar[str] = "long waits for the first token, gaps from preemption; at 100 % no first token at all"
    metrics: ClassVar[str] = (
        "vllm:kv_cache_usage_perc near `percent`, vllm:num_requests_waiting and vllm:num_preemptions_total rise"
    )
    end: ClassVar[str] = "the blocks are back at the next step"

    percent: float = parameter(100.0, "of the blocks", unit="%", least=0, most=100)

    def bend(self, state: State, _moment: Moment) -> None:
        """Withhold blocks; two such faults withhold the sum."""
        state.reserved_share = min(1.0, state.reserved_share + self.percent / 100)
