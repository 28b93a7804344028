"""One request to come, and the row of a trace that it may come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

BLOCK: Final = 512
"""Tokens in a block of a trace that says which blocks its prompts share; only a prompt's last may be shorter."""

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """One request of a production trace: seconds after the trace's start, and its two lengths in tokens.

    `width` is how many seconds the stamp stands for where many requests share one, else 0. Rows of one `session` begin
    with the same text; rows with equal `blocks` at their beginning share so many blocks.
    """

    offset: float
    prompt_tokens: int
    answer_tokens: int
    width: float = 0.0
    session: str = ""
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a prompt: parts of equal key begin with the same text, parts of different keys with different words.

    So a server's prefix cache can hit as far as two prompts have the same keys, and no further.
    """

    role: Role
    key: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request to come: due in seconds from run start, and the lengths asked of it.

    `number` is its place in the whole schedule, also in a shard. `prompt_tokens` counts all `parts`; without parts the
    prompt is its own from its first word. `session` names who asks turn after turn; empty where nobody does.
    """

    due: float
    prompt_tokens: int
    answer_tokens: int
    number: int = 0
    tenant: str = ""
    model: str = ""
    session: str = ""
    turn: int = 0
    parts: tuple[Part, ...] = ()
    question: int | None = None
    """Place in the profile's file of prompts, for who checks the answer."""
