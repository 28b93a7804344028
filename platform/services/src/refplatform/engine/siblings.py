"""What vLLM counts once for all answers to one prompt: how many were asked for, and how long the longest became."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Siblings:
    """`n` and `max_tokens` as the request has them, the latter cut to the room in the context; None has no answer."""

    n: int = 1
    max_tokens: int | None = None
    ended: int = 0
    longest: int = 0

    def end(self, tokens: int) -> bool:
        """One more has ended, with so many tokens; whether it was the last."""
        self.ended += 1
        self.longest = max(self.longest, tokens)
        return self.ended == self.n
