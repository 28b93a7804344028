"""The two moves of continuous batching: `plan` fixes a step, `commit` ends it; requests come and go in between.

The order is vLLM's. Running sequences first: one token for each that answers, then chunks of unfinished prompts out of
what the budget leaves. Who needs a block when none is free preempts the last (or the least important) of all, which
loses its blocks and is computed anew later. Only a step without a preemption admits from the queue, and only as long as
the budget, the seats and the blocks for a whole prompt allow; the first who does not fit ends it.

One difference: with `long_prefill_token_threshold`, several prompts can be unfinished at once, and vLLM may then let
them spend the budget before a sequence that was admitted later and answers already. Here those who answer always go
first. Without the threshold, which is the default, only the last sequence can be unfinished: there is no difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal

from refplatform.engine.scheduler.calendar import Calendar
from refplatform.engine.scheduler.queue import FcfsQueue, PriorityQueue, Queue
from refplatform.engine.scheduler.sequence import BLOCK_TOKENS, Sequence
from refplatform.engine.scheduler.step import Step

if TYPE_CHECKING:
    from refplatform.engine.scheduler.blocks import BlockPool

Policy = Literal["fcfs", "priority"]

_IMPORTANCE: Final = attrgetter("priority", "arrival")


class QueueFullError(Exception):
    """The engine takes no more; `reason` is the name of the limit, as in vLLM's `admission_rejections`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """vLLM's options of the same names. Raises ValueError when a running sequence might not get its token.

    `max_num_queued_reqs` bounds the requests in the engine, running ones included; `max_num_queued_tokens` the prompt
    tokens of those that have no token yet. None is no limit, and so is a threshold of 0.
    """

    max_num_seqs: int
    max_num_batched_tokens: int
    max_num_queued_reqs: int | None = None
    max_num_queued_tokens: int | None = None
    long_prefill_token_threshold: int = 0

    def __post_init__(self) -> None:
        """Each running sequence needs room for one token in every step."""
        if not 1 <= self.max_num_seqs <= self.max_num_batched_tokens:
            raise ValueError("max_num_batched_tokens must be at least max_num_seqs, and that at least 1")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step brought: those who gained one token each, and those who have left with it."""

    gained: list[Sequence]
    finished: list[Sequence]


class Scheduler:
    """The queue, the running set, and the blocks they hold."""

    def __init__(self, limits: Limits, blocks: BlockPool, *, policy: Policy = "fcfs") -> None:
        self.blocks = blocks
        self.waiting: Queue = FcfsQueue() if policy == "fcfs" else PriorityQueue()
        self.running: dict[Sequence, None] = {}
        self.preemptions = 0
        self._limits = limits
        self._policy = policy
        self._answering: dict[Sequence, None] = {}
        self._prefilling: dict[Sequence, None] = {}
        self._grows, self._ends = Calendar(), Calendar()
        self._number = 0  # of the last planned step
        self._arrivals = 0
        self._backlog = 0  # prompt tokens of requests without a token
        self._context = 0  # of those who answer
        self._left = 0  # of the budget, while a step is planned
        self._chunks: dict[Sequence, int] = {}

    # What comes and goes.

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence. Raises QueueFullError."""
        limits, inside = self._limits, len(self.running) + len(self.waiting)
        if limits.max_num_queued_reqs is not None and inside >= limits.max_num_queued_reqs:
            raise QueueFullError("max_num_queued_reqs")
        if limits.max_num_queued_tokens is not None and self._backlog >= limits.max_num_queued_tokens:
            raise QueueFullError("max_num_queued_tokens")
        self._arrivals += 1
        sequence.arrival = self._arrivals
        self._backlog += sequence.prompt
        self.waiting.add(sequence)

    def abort(self, sequence: Sequence) -> None:
        """Forget a sequence at once, wherever it is, also in the middle of a step; one that has gone is no error."""
        if sequence in self.running:
            self._leave(sequence)
        elif not self.waiting.discard(sequence):
            return
        if not sequence.emitted:
            self._backlog -= sequence.prompt

    # The moves.

    def plan(self) -> Step | None:
        """Fix the next step, or None when nothing can be computed: nobody is there, or nobody fits."""
        number, before = self._number + 1, self.preemptions
        self._chunks = {}
        self._left = self._limits.max_num_batched_tokens - len(self._answering)
        self._give_blocks(number)
        self._continue_prompts()
        admitted = self._admit() if self.preemptions == before or not self.running else ()
        if not self._answering and not self._chunks:
            return None
        self._number = number
        return Step(
            number=number,
            decodes=len(self._answering),
            context=self._context + len(self._answering),
            prefills=tuple(self._chunks.items()),
            attention=sum(_looked_back(sequence, tokens) for sequence, tokens in self._chunks.items()),
            admitted=admitted,
        )

    def commit(self, step: Step) -> Outcome:
        """End the step: those who answer, or whose prompt is complete, have one more token; the finished leave."""
        gained = list(self._answering)
        for sequence in gained:
            sequence.emitted += 1
        self._context += len(gained)
        finished = self._ends.take(step.number)
        for sequence, tokens in step.prefills:
            if sequence not in self._prefilling:
                continue  # aborted while the step ran
            sequence.computed += tokens
            if not sequence.prefilling:
                self._complete_prompt(sequence, gained, finished)
        for sequence in finished:
            self._leave(sequence)
        return Outcome(gained, finished)

    # Running sequences.

    def _give_blocks(self, number: int) -> None:
        # In any order: whoever comes late in the line loses to those before it, before or after it has its block.
        for sequence in self._grows.take(number):
            if sequence not in self._answering:
                continue  # preempted for the sake of another
            self.blocks.offer(sequence, sequence.context)
            if self._make_room(sequence, sequence.context + 1):
                self._grow_at(number + BLOCK_TOKENS, sequence)

    def _continue_prompts(self) -> None:
        for sequence in list(self._prefilling):
            tokens = self._chunk(sequence) if sequence in self._prefilling else 0
            if tokens and self._make_room(sequence, sequence.computed + tokens):
                self._compute(sequence, tokens)
        for sequence, tokens in self._chunks.items():  # only now: one of them may have been preempted for another
            self.blocks.offer(sequence, sequence.computed + tokens)

    def _chunk(self, sequence: Sequence) -> int:
        most = self._limits.long_prefill_token_threshold or self._left
        return min(sequence.goal - sequence.computed, self._left, most)

    def _compute(self, sequence: Sequence, tokens: int) -> None:
        self._chunks[sequence] = tokens
        self._left -= tokens

    def _make_room(self, sequence: Sequence, tokens: int) -> bool:
        while not self.blocks.grow(sequence, tokens):
            victim = self._victim()
            self._preempt(victim)
            if victim is sequence:
                return False
        return True

    def _victim(self) -> Sequence:
        if self._policy == "priority":
            return max(self.running, key=_IMPORTANCE)
        return next(reversed(self.running))

    def _preempt(self, sequence: Sequence) -> None:
        self._left += self._chunks.pop(sequence, 0) + (sequence in self._answering)
        self._leave(sequence)
        sequence.computed = 0
        sequence.goal = sequence.prompt + sequence.emitted
        sequence.preemptions += 1
        self.preemptions += 1
        self.waiting.put_back(sequence)

    # The queue.

    def _admit(self) -> tuple[Sequence, ...]:
        admitted = []
        while self._left > 0 and len(self.running) < self._limits.max_num_seqs and len(self.waiting):
            sequence = self.waiting.head()
            # The last token is always computed, for its output is the next token.
            found = self.blocks.find(sequence.hashes, sequence.goal - 1)
            if not self.blocks.fits(sequence, sequence.goal, found):
                break
            self.waiting.discard(sequence)
            self._start(sequence, found)
            admitted.append(sequence)
        return tuple(admitted)

    def _start(self, sequence: Sequence, found: int) -> None:
        self.blocks.share(sequence, found)
        sequence.computed = found * BLOCK_TOKENS
        if not sequence.preemptions:
            sequence.cached = sequence.computed
        self.running[sequence] = self._prefilling[sequence] = None
        tokens = self._chunk(sequence)
        self.blocks.grow(sequence, sequence.computed + tokens)
        self._compute(sequence, tokens)
        self.blocks.offer(sequence, sequence.computed + tokens)

    # From prompt to answer, and out.

    def _complete_prompt(self, sequence: Sequence, gained: list[Sequence], finished: list[Sequence]) -> None:
        if not sequence.emitted:
            self._backlog -= sequence.prompt
        if sequence.asked:
            sequence.emitted += 1
            gained.append(sequence)
        if sequence.finished:
            finished.append(sequence)
            return
        del self._prefilling[sequence]
        self._answering[sequence] = None
        self._context += sequence.context
        sequence.ends_at = self._number + sequence.asked - sequence.emitted
        self._ends.add(sequence.ends_at, sequence)
        self._grow_at(self._number + 1 + -sequence.context % BLOCK_TOKENS, sequence)

    def _grow_at(self, number: int, sequence: Sequence) -> None:
        if number <= sequence.ends_at:
            sequence.grows_at = number
            self._grows.add(number, sequence)

    def _leave(self, sequence: Sequence) -> None:
        del self.running[sequence]
        if sequence in self._answering:
            del self._answering[sequence]
            self._context -= sequence.context
            self._grows.cancel(sequence.grows_at, sequence)
            self._ends.cancel(sequence.ends_at, sequence)
        else:
            del self._prefilling[sequence]
        self.blocks.offer(sequence, sequence.context)
        self.blocks.release(sequence)


def _looked_back(sequence: Sequence, tokens: int) -> int:
    """Tokens times context: each token of a chunk looks back on what was before the chunk and half of the chunk."""
    return tokens * sequence.computed + tokens * tokens // 2
