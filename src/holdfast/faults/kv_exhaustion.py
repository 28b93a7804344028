"""`kv_exhaustion`: most of the KV cache is not there for requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.engine import EngineFault
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.faults.ways.engine import Engine


class Wanted(Options):
    """How."""

    percent: float = Field(95.0, gt=0, le=100, description="of the blocks (%)")


class KvExhaustion(EngineFault):
    """Seen to bite when the engine says that so much of its cache is in use."""

    title: ClassVar = "short of KV cache"
    door: ClassVar = "kv-exhaustion"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="withhold {percent} % of the KV blocks of {target}",
        bites="vllm:kv_cache_usage_perc is at least nine tenths of that",
        undo="end it at the engine's door",
        gone="the cache is in use below that again, and an answer of our own is whole",
    )

    def effect(self, engine: Engine, options: Wanted, told: dict[str, Any]) -> Sight:  # noqa: ARG002 - seen at the engine
        """The scheduler counts its blocks whenever it makes a step, so it is given one."""
        engine.chat(tokens=1, wait=1.0)
        used = engine.metric("vllm:kv_cache_usage_perc")
        return Sight(used >= 0.9 * options.percent / 100, f"{used:.0%} of the KV cache are in use")


FAULT = KvExhaustion()
