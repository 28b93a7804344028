"""What became of one request: a pure function of the bytes that came back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from holdfast.load.sse import error_text

if TYPE_CHECKING:
    from holdfast.load.record import Outcome
    from holdfast.load.sse import Answer

_OK: Final = 200
_ERROR: Final = 400
_TOO_MANY: Final = 429


class Ended(Protocol):
    """What is asked of an exchange; `transport.Exchange` has it."""

    @property
    def status(self) -> int | None:
        """HTTP status, None when no header came."""

    @property
    def content_type(self) -> str:
        """The header's value, empty without one."""

    @property
    def failure(self) -> Any:
        """Why it ended early, or None."""

    @property
    def error(self) -> str:
        """The same in words."""

    @property
    def body(self) -> bytes:
        """All body bytes."""


def outcome_of(exchange: Ended, answer: Answer) -> tuple[Outcome, str]:
    """The outcome and what was wrong, in words; `ok` only when nothing was.

    A status of 400 or more decides by itself. Then an answer that is whole (a finish reason, `[DONE]`, a token) is ok
    even if the connection broke after it, for its user has it.
    """
    status = exchange.status
    if status is not None and status >= _ERROR:
        return ("rejected" if status == _TOO_MANY else "http_error"), f"{status}: {_message(exchange.body)}"
    if status == _OK and not _incomplete(answer):
        return "ok", ""
    if exchange.failure is not None:
        return exchange.failure, exchange.error
    if status != _OK:
        return "malformed", f"status {status}, expected 200"
    if not (answer.tokens or answer.error or "event-stream" in exchange.content_type):
        return "malformed", f"not an event stream but {exchange.content_type or 'without a type'}"
    return _incomplete(answer) or ("ok", "")


def _incomplete(answer: Answer) -> tuple[Outcome, str] | None:
    if answer.broken:
        return "malformed", answer.broken
    if answer.error:
        return "cut", f"error in the stream: {answer.error}"
    if not answer.finish_reason:
        return "cut", "the stream ended without a finish reason"
    if answer.done is None:
        return "cut", "the stream ended without [DONE]"
    if not answer.tokens:
        return "malformed", "the answer has no token"
    return None


def _message(body: bytes) -> str:
    text = body[:4000].decode(errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return error_text(found) if isinstance(found, dict) else text.strip()[:200]
