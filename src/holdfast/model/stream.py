"""One request as its client saw it, event by event: what every tool's latency figures are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

PieceKind = Literal["role", "content", "reasoning", "tool", "finish", "usage", "ping", "error", "done"]
"""What one event of the stream brought: `role`, choices without text (also an empty delta); `content`, `reasoning` and
`tool`, text of that kind; `finish`, only a finish reason; `usage`, counts without choices; `ping`, a comment; `error`,
an error event; `done`, `[DONE]`. A body that is no event stream is one `content` piece."""
KINDS: Final[tuple[PieceKind, ...]] = get_args(PieceKind)
TOKEN_KINDS: Final = frozenset({"content", "reasoning", "tool"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One event: the second at which the read that completed it returned, its kind, and its tokens where known.

    Pieces of one read carry the same `t`: they arrived together, and nobody can tell them apart in time.
    `tokens` is 0 for kinds that bring none, else at least 1 (a server that packs several says so, or usage does).
    """

    t: float
    kind: PieceKind
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One request; times in seconds from the run's epoch on one monotonic clock, None where it did not get so far.

    `due` is when the schedule wanted it, `sent` when the client turned to the network (before it had a connection),
    `written` when its last byte was handed to the kernel, `headers` when the answer's status line was read, `ended`
    when the exchange was over. `prompt_tokens` and `answer_tokens` are the server's usage, None where it gave none.
    """

    id: int
    due: float
    sent: float | None = None
    written: float | None = None
    headers: float | None = None
    ended: float | None = None
    pieces: tuple[Piece, ...] = ()
    status: int | None = None
    outcome: str = "ok"
    error: str = ""
    asked_tokens: int | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    cached_tokens: int | None = None
    model: str = ""
    tenant: str = ""
    session: str = ""
