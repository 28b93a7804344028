"""`cold_prefix_cache`: the prefix cache finds nothing, and keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from holdfast.faults.ways.engine import EngineFault
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.engine import Engine

_PROMPT: Final = "the tide comes and the tide goes " * 20


class ColdPrefixCache(EngineFault):
    """Seen to bite when a long prompt is asked twice, and no token of it was found."""

    title: ClassVar = "without its prefix cache"
    door: ClassVar = "cold-prefix-cache"
    words: ClassVar = Words(
        apply="let {target} find no prompt in its prefix cache",
        bites="a long prompt asked twice adds to the queries of the cache and nothing to its hits",
        undo="end it at the engine's door",
        gone="a long prompt asked twice is found again",
    )

    def effect(self, engine: Engine, options: Options, told: dict[str, Any]) -> Sight:  # noqa: ARG002 - seen at the engine
        """The same prompt, twice; nothing was found for anybody."""
        asked, found = _twice(engine)
        return Sight(asked > 0 and found == 0, f"{found:g} of {asked:g} tokens were found")

    def well(self, engine: Engine, options: Options) -> Sight:
        """It is found again, and answers are whole."""
        _, found = _twice(engine)
        return super().well(engine, options) if found > 0 else Sight(False, "no prompt is found yet")


def _twice(engine: Engine) -> tuple[float, float]:
    """How many tokens were looked up while the same prompt was asked twice, and how many of them were found."""
    names = ("vllm:prefix_cache_queries_total", "vllm:prefix_cache_hits_total")
    before = [engine.metric(name) for name in names]
    for _ in range(2):
        engine.chat(tokens=1, prompt=_PROMPT)
    queries, hits = (engine.metric(name) - was for name, was in zip(names, before, strict=True))
    return queries, hits


FAULT = ColdPrefixCache()
