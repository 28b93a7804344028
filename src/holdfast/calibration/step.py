"""How long an engine's step lasts, as the simulator counts it: linear in its coefficients, which is what a fit needs.

    t = c0                                             weights read once, launch, scheduling
      + c_prefill * max(0, tokens - flat_tokens)       the linear layers
      + c_attention * attention + c_kv * context       attention of chunks, and of those who answer
      + c_seq * sequences                              sampling and the like
      + c_prompt * chunks of prompts                   taking a request in

The simulator has it in `refplatform.engine.calibration`; that both say the same is tested. What it has beside it as
`c_step` is here a part of `c0`: from outside the two are one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

COUNTED: Final = ("c_request", "c_beside", "c0", "c_prefill", "c_attention", "c_kv", "c_seq", "c_prompt")
"""The coefficients in which time is linear, in the order of a row's counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Seconds a request, a step, a token, a token and one it looks back on, a token of context, a sequence.

    `c_request` is what a request costs before and beside its steps: reading it, and handing it to the scheduler;
    `c_beside` is how much longer that takes for each request that is running.
    """

    c_request: float = 0.0
    c_beside: float = 0.0
    c0: float
    flat_tokens: int = 0
    c_prefill: float
    c_attention: float = 0.0
    c_kv: float
    c_seq: float
    c_prompt: float = 0.0

    def seconds(self, work: Work) -> float:
        """The time of what is counted in `work`."""
        return float(sum(getattr(self, name) * count for name, count in zip(COUNTED, work.row, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Counts of one or several steps, each of which stands before one coefficient."""

    requests: float = 0.0
    beside: float = 0.0
    steps: float = 0.0
    beyond_flat: float = 0.0
    attention: float = 0.0
    context: float = 0.0
    sequences: float = 0.0
    prompts: float = 0.0

    @property
    def row(self) -> tuple[float, ...]:
        """In the order of COUNTED."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def plus(self, other: Work, share: float = 1.0) -> Work:
        """Both, one after the other; of the other one a share."""
        return Work(
            **{field.name: getattr(self, field.name) + share * getattr(other, field.name) for field in fields(self)}
        )


def step(*, decodes: int, context: float, chunks: tuple[tuple[int, int], ...] = (), flat: int) -> Work:
    """One step: so many sequences answer over so much context in all; chunks are (tokens, computed before them)."""
    tokens = decodes + sum(tokens for tokens, _ in chunks)
    return Work(
        steps=1,
        beyond_flat=max(0, tokens - flat),
        attention=sum(tokens * before + tokens * tokens / 2 for tokens, before in chunks),
        context=context,
        sequences=decodes + len(chunks),
        prompts=len(chunks),
    )


def prompt_alone(prompt: int, *, budget: int, flat: int, done: int = 0) -> Work:
    """A request that nobody disturbs, from its arrival to its first token: chunks as large as the budget.

    `done` tokens of it are computed already.
    """
    work = Work(requests=1)
    while done < prompt:
        tokens = min(budget, prompt - done)
        work = work.plus(step(decodes=0, context=0, chunks=((tokens, done),), flat=flat))
        done += tokens
    return work
