"""How long named blocks of the KV cache live, are idle before they are evicted, and are reused: a sample of them.

As vLLM's --kv-cache-metrics counts it: from the allocation to the eviction, from the last time that a request found the
block to the eviction, and between the last four times that it was found. A block that is still there says nothing yet.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from refplatform.engine.scheduler.sequence import BlockHash

REMEMBERED: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Evicted:
    """The life of one block, in seconds."""

    lifetime: float
    idle: float
    gaps: tuple[float, ...]


@dataclass(slots=True)
class _Life:
    born: float
    found: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


class Residency:
    """Follows a share of the blocks; `clock` gives seconds. Raises ValueError for a share outside of 0 to 1."""

    def __init__(self, share: float, *, clock: Callable[[], float], source: random.Random) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"the sampled share of blocks is more than 0 and at most 1, got {share}")
        self._share = share
        self._clock = clock
        self._source = source
        self._lives: dict[BlockHash, _Life] = {}
        self._evicted: list[Evicted] = []

    def born(self, name: BlockHash) -> None:
        """A block got its name: it was allocated a moment ago, and can be found from now on."""
        if self._source.random() < self._share:
            self._lives[name] = _Life(self._clock())

    def found(self, name: BlockHash) -> None:
        """Another request shares the block."""
        if (life := self._lives.get(name)) is not None:
            life.found.append(self._clock())

    def evicted(self, name: BlockHash) -> None:
        """The block is given to somebody else."""
        if (life := self._lives.pop(name, None)) is None:
            return
        now, found = self._clock(), life.found
        last = found[-1] if found else life.born
        gaps = tuple(later - earlier for earlier, later in pairwise(found))
        self._evicted.append(Evicted(lifetime=now - life.born, idle=now - last, gaps=gaps))

    def forget(self) -> None:
        """The cache was emptied, which is no eviction."""
        self._lives.clear()
        self._evicted.clear()

    def take(self) -> list[Evicted]:
        """What was evicted since the last look."""
        taken, self._evicted = self._evicted, []
        return taken
