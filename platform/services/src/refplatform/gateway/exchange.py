"""One client's request from its arrival to its end: what the metrics, the ledger and the log line are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson

ENDPOINTS: Final = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
}
OTHER: Final = "other"


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Times are seconds of the gateway's steady clock; `code` is what the client saw, 499 when it saw nothing.

    `started` once the client has got a byte, `opened` when that was of a stream; `finished` once a finish reason came.
    `gap` is its longest wait for a token after the first.
    """

    request_id: str
    method: str
    path: str
    began: float
    tenant: str = ""
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    streaming: bool = False
    engine: str = ""
    attempts: int = 0
    started: bool = False
    opened: bool = False
    finished: bool = False
    first_token: float | None = None
    gap: float = 0.0
    tokens: int = 0
    code: int = 500
    outcome: str = "failed"

    def end(self, code: int, outcome: str) -> None:
        """Fix how it ended."""
        self.code, self.outcome = code, outcome

    @property
    def endpoint(self) -> str:
        """What was asked for: a value of ENDPOINTS, or OTHER, so that clients cannot make up series."""
        return ENDPOINTS.get(self.path.partition("?")[0], OTHER)

    @property
    def embeds(self) -> bool:
        """Whether vectors were asked for: such an answer has no tokens, and never a first one."""
        return self.endpoint == "embeddings"

    @property
    def ending(self) -> str:
        """How a stream ended: complete has a finish reason and [DONE], unfinished only [DONE], cut not even that."""
        if self.outcome != "ok":
            return "cancelled" if self.outcome == "cancelled" else "cut"
        return "complete" if self.finished else "unfinished"

    def fields(self, now: float) -> dict[str, object]:
        """The log line; never holds a key."""
        return {
            "request_id": self.request_id,
            "tenant": self.tenant,
            "engine": self.engine,
            "path": self.path,
            "code": self.code,
            "outcome": self.outcome,
            "ttft": None if self.first_token is None else round(self.first_token - self.began, 6),
            "duration": round(now - self.began, 6),
            "tokens": self.tokens,
            "attempts": self.attempts,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a try at an engine did not serve the client; `code` and `message` are what to say when no other try is left.

    `wait` is how many seconds the engine itself asked to be left alone.
    """

    result: str
    code: int
    message: str
    wait: float | None = None


def outcome_of(code: int) -> str:
    """What a whole answer with this status is: ok, rejected (the asker's fault) or failed."""
    return "ok" if code < 400 else "rejected" if code < 500 else "failed"  # noqa: PLR2004


def wants_stream(body: bytes) -> bool:
    """Whether a request body asks for a stream; a body that is not JSON does not."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(raw, dict) and raw.get("stream") is True


def reported(body: bytes, count: str) -> int:
    """A count that the usage of a whole answer reports, such as `completion_tokens`; 0 when it does not."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 0
    usage = raw.get("usage") if isinstance(raw, dict) else None
    size = usage.get(count) if isinstance(usage, dict) else None
    return size if isinstance(size, int) else 0
