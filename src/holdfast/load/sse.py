"""From the stamped bytes of one answer to its tokens and their times; however the bytes were cut, the same tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DONE: Final = "[DONE]"
_BOM: Final = b"\xef\xbb\xbf"
TokenKind = Literal["content", "reasoning", "tool"]


@dataclass(frozen=True, slots=True)
class Token:
    """One non-empty delta: the time of the read that completed its event, what it is, its text."""

    time: float
    kind: TokenKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One stream, read to its end; empty strings and None where the stream did not say."""

    tokens: tuple[Token, ...] = ()
    finish_reason: str | None = None
    usage: Mapping[str, int] | None = None
    done: float | None = None
    """When `[DONE]` came; None when it never did."""
    error: str = ""
    broken: str = ""
    """Why the bytes are not a chat completion stream; empty when they are."""

    @property
    def max_gap(self) -> float | None:
        """Longest wait between one token and the next, in seconds; None with fewer than two tokens."""
        times = [token.time for token in self.tokens]
        return max((later - earlier for earlier, later in pairwise(times)), default=None)


def read_answer(chunks: Iterable[tuple[float, bytes]]) -> Answer:
    """The answer in a whole stream of (seconds, bytes read then)."""
    reader = AnswerReader()
    for time, data in chunks:
        reader.feed(time, data)
    return reader.finish()


@dataclass(slots=True)
class _Lines:
    """Cuts bytes at CRLF, LF or CR, keeping what is not yet a line."""

    rest: bytes = b""
    _after_cr: bool = False
    _started: bool = False

    def split(self, data: bytes) -> list[bytes]:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        if lines and not self._started:
            lines[0], self._started = lines[0].removeprefix(_BOM), True
        return lines


@dataclass(slots=True)
class AnswerReader:
    """The same in pieces, so that a caller on an event loop can let others run in between."""

    _lines: _Lines = field(default_factory=_Lines)
    _data: list[str] = field(default_factory=list)
    _event: str = ""
    _tokens: list[Token] = field(default_factory=list)
    _finish_reason: str | None = None
    _usage: Mapping[str, int] | None = None
    _done: float | None = None
    _last: float = 0.0
    _error: str = ""
    _broken: str = ""

    def feed(self, time: float, data: bytes) -> None:
        """Take what one read returned, at its time in seconds."""
        self._last = time
        if self._broken:
            return
        for line in self._lines.split(data):
            try:
                self._line(time, line.decode())
            except UnicodeDecodeError:
                self._broken = self._broken or "the stream is not UTF-8"
            if self._broken:
                return

    def finish(self) -> Answer:
        """What the stream said. An event without its closing blank line never happened, except the last `[DONE]`."""
        if self._done is None and (self._lines.rest.strip() == b"data: [DONE]" or self._data == [DONE]):
            self._done = self._last
        return Answer(
            tokens=tuple(self._tokens),
            finish_reason=self._finish_reason,
            usage=self._usage,
            done=self._done,
            error=self._error,
            broken=self._broken,
        )

    def _line(self, time: float, line: str) -> None:
        """One line by the rules of https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6."""
        if not line:
            self._dispatch(time)
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value

    def _dispatch(self, time: float) -> None:
        data, event = "\n".join(self._data), self._event
        self._data, self._event = [], ""
        if self._done is not None or not data:
            return
        if data.strip() == DONE:
            self._done = time
            return
        try:
            body = json.loads(data)
        except ValueError:
            self._broken = f"an event is not JSON: {data[:80]!r}"
            return
        if not isinstance(body, dict):
            self._broken = f"an event is not a JSON object: {data[:80]!r}"
        elif event == "error" or body.get("error"):
            self._error = self._error or error_text(body)
        else:
            self._completion(time, body)

    def _completion(self, time: float, body: Mapping[str, Any]) -> None:
        usage = body.get("usage")
        if isinstance(usage, dict):
            self._usage = {key: value for key, value in usage.items() if type(value) is int}
        choices = body.get("choices")
        if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
            self._broken = "an event has no list of choices"
            return
        for choice in choices:
            self._finish_reason = self._finish_reason or choice.get("finish_reason")
            self._tokens.extend(Token(time, kind, text) for kind, text in _pieces(choice))


def _pieces(choice: Mapping[str, Any]) -> Iterator[tuple[TokenKind, str]]:
    """Non-empty texts of one choice, of chat (`delta`) or of plain completions (`text`)."""
    delta = choice.get("delta")
    delta = delta if isinstance(delta, dict) else {}
    reasoning = delta.get("reasoning_content") or delta.get("reasoning")
    if isinstance(reasoning, str) and reasoning:
        yield "reasoning", reasoning
    content = delta.get("content") or choice.get("text")
    if isinstance(content, str) and content:
        yield "content", content
    if delta.get("tool_calls"):
        yield "tool", json.dumps(delta["tool_calls"])


def error_text(body: Mapping[str, Any]) -> str:
    """The message in an error body of OpenAI's API, or the whole body as text."""
    error = body.get("error", body)
    message = error.get("message") if isinstance(error, dict) else error
    return str(message if isinstance(message, str) and message else json.dumps(body))[:200]
