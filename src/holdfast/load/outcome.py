"""What became of one request: a pure function of the bytes that came back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from holdfast.load.sse import error_text

if TYPE_CHECKING:
    from holdfast.load.endpoint import Wanted
    from holdfast.load.record import Outcome
    from holdfast.load.sse import Answer

_OK: Final = 200
_REDIRECT: Final = 300
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


def outcome_of(exchange: Ended, answer: Answer, wanted: Wanted = "stream") -> tuple[Outcome, str]:
    """The outcome and what was wrong, in words; `ok` only when nothing was.

    A request for which this machine had no port or file left was never sent: it says nothing about the server. A status
    of 400 or more decides by itself. Then an answer that is whole (of a stream: a finish reason, `[DONE]`, a token) is
    ok even if the connection broke after it, for its user has it.
    """
    status, failure = exchange.status, exchange.failure
    if failure == "starved":
        return "dropped", exchange.error
    if status is not None and status >= _ERROR:
        return ("rejected" if status == _TOO_MANY else "http_error"), f"{status}: {_message(exchange.body)}"
    if wanted == "anything":
        return _reached(exchange)
    flaw = _flaw(answer, exchange.content_type, wanted)
    if status == _OK and not flaw:
        return "ok", ""
    if failure is not None:
        return failure, exchange.error
    return flaw if flaw and status == _OK else ("malformed", f"status {status}, expected 200")


def _reached(exchange: Ended) -> tuple[Outcome, str]:
    if exchange.failure is not None:
        return exchange.failure, exchange.error
    if exchange.status is None or not _OK <= exchange.status < _REDIRECT:
        return "malformed", f"status {exchange.status}, expected 200 to 299"
    return "ok", ""


def _flaw(answer: Answer, content_type: str, wanted: Wanted) -> tuple[Outcome, str] | None:
    """What an answer lacks that came with status 200; None when it is whole."""
    streamed = "event-stream" in content_type or answer.done is not None
    if wanted == "vectors":
        return _unlike(answer) or (("malformed", "the answer is empty") if not answer.kinds else None)
    if wanted == "stream" and not (streamed or answer.error or (answer.has_text and "json" not in content_type)):
        return "malformed", f"not an event stream but {content_type or 'without a type'}"
    return _unlike(answer) or _incomplete(answer, streamed=streamed or wanted == "stream")


def _unlike(answer: Answer) -> tuple[Outcome, str] | None:
    if answer.broken:
        return "malformed", answer.broken
    if answer.error:
        return "cut", f"error in the stream: {answer.error}"
    return None


def _incomplete(answer: Answer, *, streamed: bool) -> tuple[Outcome, str] | None:
    what = "stream" if streamed else "answer"
    if not answer.finish_reason:
        return "cut", f"the {what} ended without a finish reason"
    if streamed and answer.done is None:
        return "cut", "the stream ended without [DONE]"
    if not answer.has_text:
        return "malformed", "the answer has no token"
    return None


def _message(body: bytes) -> str:
    text = body[:4000].decode(errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return error_text(found) if isinstance(found, dict) else text.strip()[:200]
