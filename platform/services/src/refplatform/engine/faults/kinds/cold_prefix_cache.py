"""The prefix cache finds nothing: after a restart, or behind a router that lost its affinity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import EngineFault

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class ColdPrefixCache(EngineFault):
    """Every prompt is computed as a whole, and none is kept."""

    client: ClassVar[str] = "longer time to first token for long prompts; cached_tokens is 0"
    metrics: ClassVar[str] = "vllm:prefix_cache_hits_total stands while vllm:prefix_cache_queries_total rises"
    end: ClassVar[str] = "prompts are found again"

    def bend(self, state: State, _moment: Moment) -> None:
        """Find nothing."""
        state.prefix_cache = False
