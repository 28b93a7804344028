"""Continuous batching in discrete steps: who runs, who waits, and who gets how many tokens of the step's budget.

No clock, no IO. `plan` fixes a step, `commit` ends it; requests may be added and aborted in between. The order is
that of vLLM's scheduler: running sequences first, then the queue, first come first served, prompts in chunks of what
the budget leaves. Memory is not modelled: a sequence that is admitted runs to its end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


class QueueFullError(Exception):
    """The queue holds as many requests as it may."""


@dataclass(slots=True, eq=False)
class Sequence:
    """One request in tokens: its prompt, what it asked for, and how far it has come."""

    prompt: int
    asked: int
    computed: int = 0
    emitted: int = 0

    @property
    def prefilling(self) -> bool:
        """Whether part of the prompt is still to be computed."""
        return self.computed < self.prompt

    @property
    def finished(self) -> bool:
        """Whether it has all the tokens that it asked for."""
        return self.emitted >= self.asked

    @property
    def context(self) -> int:
        """Tokens it holds in the KV cache."""
        return self.computed + self.emitted


@dataclass(frozen=True, slots=True)
class Step:
    """What is computed together: tokens for each sequence, how many of them are of prompts, and the context read."""

    chunks: tuple[tuple[Sequence, int], ...]
    prefill_tokens: int
    context: int

    @property
    def tokens(self) -> int:
        """Tokens of the whole step; never more than the budget."""
        return sum(tokens for _, tokens in self.chunks)


class Scheduler:
    """The queue, the running set, and the two moves that carry sequences from one to the other and out."""

    def __init__(self, *, max_num_seqs: int, max_num_batched_tokens: int, max_num_queued_reqs: int) -> None:
        self._max_num_seqs = max_num_seqs
        self._budget = max_num_batched_tokens
        self._max_queued = max_num_queued_reqs
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    @property
    def context(self) -> int:
        """Tokens held in the KV cache by all running sequences."""
        return sum(sequence.context for sequence in self.running)

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence. Raises QueueFullError when it can neither run in the next step nor wait."""
        free = self._max_num_seqs - len(self.running)
        if len(self.waiting) >= max(free, 0) + self._max_queued:
            raise QueueFullError
        self.waiting.append(sequence)

    def abort(self, sequence: Sequence) -> None:
        """Forget a sequence at once, wherever it is; one that has already gone is no error."""
        if sequence in self.running:
            self.running.remove(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)

    def plan(self) -> Step | None:
        """Fix the next step, or None when there is nothing to do; admits from the queue into the running set."""
        budget, prefill, context = self._budget, 0, 0
        chunks: list[tuple[Sequence, int]] = []
        # At most the last running sequence is still prefilling, so decodes are served before its chunk takes the rest.
        for sequence in self.running:
            tokens = 1
            if sequence.computed < sequence.prompt:
                tokens = min(sequence.prompt - sequence.computed, budget)
                prefill += tokens
            context += sequence.computed + sequence.emitted
            budget -= tokens
            chunks.append((sequence, tokens))
        while self.waiting and budget > 0 and len(self.running) < self._max_num_seqs:
            sequence = self.waiting.popleft()
            tokens = min(sequence.prompt, budget)
            prefill, budget = prefill + tokens, budget - tokens
            self.running.append(sequence)
            chunks.append((sequence, tokens))
        return Step(tuple(chunks), prefill, context) if chunks else None

    def commit(self, step: Step) -> list[Sequence]:
        """End the step: those whose prompt is complete have one more token and are returned; the finished leave."""
        gained: list[Sequence] = []
        present = set(map(id, self.running))
        for sequence, tokens in step.chunks:
            if id(sequence) not in present:
                continue  # aborted while the step ran
            if sequence.computed < sequence.prompt:
                sequence.computed += tokens
                if sequence.computed < sequence.prompt:
                    continue
            sequence.emitted += 1
            gained.append(sequence)
        self.running = [sequence for sequence in self.running if sequence.emitted < sequence.asked]
        return gained
