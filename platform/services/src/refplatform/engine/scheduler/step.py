"""What is computed together: one token for everyone who answers, chunks of prompts for the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refplatform.engine.scheduler.sequence import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step as planned, in the counts on which its duration depends.

    `decodes` sequences gain a token each, over `context` tokens of keys and values in all. `prefills` are chunks of
    prompts; `attention` sums, over the chunks, tokens times the context that each of them looks back on, on average.
    `admitted` came from the queue for this step.
    """

    number: int = 0
    decodes: int = 0
    context: int = 0
    prefills: tuple[tuple[Sequence, int], ...] = ()
    attention: int = 0
    admitted: tuple[Sequence, ...] = ()

    @property
    def prefill_tokens(self) -> int:
        """Tokens of prompts in it."""
        return sum(tokens for _, tokens in self.prefills)

    @property
    def tokens(self) -> int:
        """All tokens in it; never more than the budget."""
        return self.decodes + self.prefill_tokens

    @property
    def sequences(self) -> int:
        """Requests in it."""
        return self.decodes + len(self.prefills)
