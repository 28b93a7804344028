"""The KV cache as counted blocks: held, empty, or idle with a prefix that a later request may find again.

Blocks without a hash need no identity, so they are only counted. Blocks with one are found by it, have a count of
holders, and stay when the last holder leaves, until an allocation that finds no empty block evicts the one unused for
longest. vLLM keeps one list for empty and idle blocks; here the empty ones always go first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from refplatform.engine.scheduler.sequence import BLOCK_TOKENS, BlockHash, Sequence, blocks_for

if TYPE_CHECKING:
    from collections.abc import Sequence as Row

    from refplatform.engine.scheduler.residency import Residency


class BlockPool:
    """So many blocks in all. empty + idle + held + reserved = total, always (`held` counts a shared block once).

    `residency` is told of the life of each block that can be found.
    """

    def __init__(self, total: int, residency: Residency | None = None) -> None:
        self.total = total
        self.residency = residency
        self.caching = True
        self._empty = total
        self._reserved = 0
        self._holders: dict[BlockHash, int] = {}
        self._idle: OrderedDict[BlockHash, None] = OrderedDict()

    @property
    def free(self) -> int:
        """Blocks that an allocation can get, idle ones included."""
        return self._empty + len(self._idle)

    @property
    def idle(self) -> int:
        """Blocks that nobody holds and that can still be found."""
        return len(self._idle)

    @property
    def usage(self) -> float:
        """Share of the blocks that are held or reserved, 0 to 1."""
        return 1.0 - self.free / self.total

    def find(self, hashes: Row[BlockHash], tokens: int) -> int:
        """How many of the first blocks are there, looking at no more than the first `tokens` tokens."""
        if not self.caching:
            return 0
        found, most = 0, min(len(hashes), tokens // BLOCK_TOKENS)
        while found < most and hashes[found] in self._holders:
            found += 1
        return found

    def fits(self, sequence: Sequence, tokens: int, found: int) -> bool:
        """Whether so many tokens fit when the first `found` blocks are shared: an idle one is no longer free then."""
        woken = sum(name in self._idle for name in sequence.hashes[:found])
        return blocks_for(tokens) - found + woken <= self.free

    def share(self, sequence: Sequence, found: int) -> None:
        """Hold the first `found` blocks, which were found."""
        for name in sequence.hashes[:found]:
            self._idle.pop(name, None)
            self._holders[name] += 1
            sequence.shared.append(name)
            if self.residency is not None:
                self.residency.found(name)
        sequence.blocks = sequence.offered = found

    def grow(self, sequence: Sequence, tokens: int) -> bool:
        """Hold blocks for so many tokens in all, or change nothing and say False."""
        need = blocks_for(tokens) - sequence.blocks
        if need > self.free:
            return False
        self._take(need)
        sequence.blocks += max(0, need)
        return True

    def offer(self, sequence: Sequence, tokens: int) -> None:
        """Let others find the full blocks among the first `tokens` tokens; of equal blocks, the first is found."""
        full = min(tokens // BLOCK_TOKENS, len(sequence.hashes)) if self.caching else 0
        for name in sequence.hashes[sequence.offered : full]:
            if name not in self._holders:
                self._holders[name] = 1
                sequence.shared.append(name)
                if self.residency is not None:
                    self.residency.born(name)
        sequence.offered = max(full, sequence.offered)

    def release(self, sequence: Sequence) -> None:
        """Give everything back. The end of a prefix becomes idle first, for it is of use only with its beginning."""
        self._empty += sequence.blocks - len(sequence.shared)
        for name in reversed(sequence.shared):
            self._holders[name] -= 1
            if not self._holders[name]:
                self._idle[name] = None
        sequence.shared.clear()
        sequence.blocks = sequence.offered = 0

    def reserve(self, blocks: int) -> None:
        """Withhold so many blocks from everyone, or as many of them as are free now."""
        more = min(blocks - self._reserved, self.free)
        self._take(more)
        self._empty -= min(0, more)
        self._reserved += more

    def reset(self) -> bool:
        """Forget what is idle; whether that was all that could be found."""
        for name in self._idle:
            del self._holders[name]
        self._empty += len(self._idle)
        self._idle.clear()
        if self.residency is not None and not self._holders:
            self.residency.forget()
        return not self._holders

    def _take(self, blocks: int) -> None:
        while self._empty < blocks:
            name, _ = self._idle.popitem(last=False)
            del self._holders[name]
            self._empty += 1
            if self.residency is not None:
                self.residency.evicted(name)
        self._empty -= max(0, blocks)
