"""One request in tokens: what it wants, how far it has come, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

BLOCK_TOKENS: Final = 16
"""Tokens whose keys and values fit in one block of the KV cache; vLLM's default."""

BlockHash: TypeAlias = bytes | int
"""Names a full block by its tokens and all tokens before it."""


def blocks_for(tokens: int) -> int:
    """How many blocks so many tokens need."""
    return -(-tokens // BLOCK_TOKENS)


@dataclass(slots=True, eq=False)
class Sequence:
    """A prompt of so many tokens and the answer that is wanted.

    `asked` may be 0: an embedding, which ends with its prompt and yields no token. `hashes` names the full blocks of
    the prompt, and may go on into the answer where the answer is known; a block without a hash is never shared. A
    lower `priority` is served earlier, by a scheduler that looks at it.
    """

    prompt: int
    asked: int
    hashes: tuple[BlockHash, ...] = ()
    priority: int = 0

    # What the world may read.
    computed: int = 0
    """Tokens computed or found in the cache, of the prompt and, after a preemption, of the answer so far. Stands still
    while answer tokens come one by one; `context` does not."""
    cached: int = 0
    """Tokens found in the prefix cache when it was first admitted."""
    emitted: int = 0
    """Tokens of the answer."""
    preemptions: int = 0

    # The scheduler's own: its place in line, and the numbers of the steps in which it needs attention.
    arrival: int = 0
    goal: int = 0
    grows_at: int = -1
    ends_at: int = -1

    # The block pool's own: blocks that others may find, how many all in all, how many were offered to the cache.
    shared: list[BlockHash] = field(default_factory=list)
    blocks: int = 0
    offered: int = 0

    def __post_init__(self) -> None:
        """The first goal is the prompt."""
        self.goal = self.prompt

    @property
    def prefilling(self) -> bool:
        """Whether tokens are still to be computed before the next one can come."""
        return self.computed < self.goal

    @property
    def finished(self) -> bool:
        """Whether it has all that it asked for."""
        return self.emitted >= self.asked and not self.prefilling

    @property
    def context(self) -> int:
        """Tokens whose keys and values it holds; the newest token's are computed in the next step."""
        return self.computed if self.prefilling else self.prompt + max(0, self.emitted - 1)
