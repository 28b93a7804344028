"""Continuous batching in discrete steps: who runs, who waits, who gets how many tokens, and which memory they hold.

No clock, no IO, no randomness: the same requests in the same order give the same steps. The rules are those of vLLM's
V1 scheduler (0.33, `v1/core/sched/scheduler.py`).
"""

from refplatform.engine.scheduler.blocks import BlockPool
from refplatform.engine.scheduler.core import Limits, Outcome, QueueFullError, Scheduler
from refplatform.engine.scheduler.residency import Evicted, Residency
from refplatform.engine.scheduler.sequence import BLOCK_TOKENS, BlockHash, Sequence
from refplatform.engine.scheduler.step import Step

__all__ = [
    "BLOCK_TOKENS",
    "BlockHash",
    "BlockPool",
    "Evicted",
    "Limits",
    "Outcome",
    "QueueFullError",
    "Residency",
    "Scheduler",
    "Sequence",
    "Step",
]
