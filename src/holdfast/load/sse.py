"""From the stamped bytes of one answer to its pieces and their times; however the bytes were cut, the same pieces."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast.model.stream import Piece
from holdfast.store.pieces import KIND_OF, LETTERS, TOKEN_LETTERS, loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DONE: Final = "[DONE]"
_BOM: Final = b"\xef\xbb\xbf"
_LINE_FEEDS: Final = 2
"""Line feeds of an event of one line: the one that ends it, and the blank line."""
ROLE, CONTENT, REASONING, TOOL, FINISH, USAGE, PING, ERROR, END = LETTERS.values()
TOKENS: Final = TOKEN_LETTERS
_WEIGHT: Final = {ROLE: 0, FINISH: 1, TOOL: 2, REASONING: 3, CONTENT: 4}
"""Of an event with several choices, or several kinds of text, the one that says the most gives the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, read to its end, as columns; empty and None where it did not say.

    Event i came with the read at second `times[i]`, is of the kind that letter i of `kinds` stands for
    (`store.pieces.LETTERS`) and brought `texts[i]`. `said` holds the tokens of those events for which the server gave
    a number of its own.
    """

    times: Sequence[float] = ()
    kinds: str = ""
    texts: Sequence[str] = ()
    said: Mapping[int, int] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: Mapping[str, int] | None = None
    done: float | None = None
    """When `[DONE]` came; None when it never did."""
    error: str = ""
    broken: str = ""
    """Why the bytes are not an answer of the API; empty when they are."""

    @property
    def token_times(self) -> list[float]:
        """The times of the events that brought text."""
        return [time for time, kind in zip(self.times, self.kinds, strict=True) if kind in TOKENS]

    @property
    def token_texts(self) -> list[str]:
        """What they brought."""
        return [text for text, kind in zip(self.texts, self.kinds, strict=True) if kind in TOKENS]

    @property
    def said_aloud(self) -> str:
        """The answer itself, without reasoning and tool calls."""
        return "".join(text for text, kind in zip(self.texts, self.kinds, strict=True) if kind == CONTENT)

    @property
    def has_text(self) -> bool:
        """Whether any event brought text."""
        return not TOKENS.isdisjoint(self.kinds)

    def pieces(self, counts: Sequence[int] | None = None) -> tuple[Piece, ...]:
        """The same as frozen nouns; `counts` are the tokens of each event, None for one each."""
        ones = [int(kind in TOKENS) for kind in self.kinds] if counts is None else counts
        return tuple(
            Piece(t=time, kind=KIND_OF[letter], tokens=tokens)
            for time, letter, tokens in zip(self.times, self.kinds, ones, strict=True)
        )


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
    after_cr: bool = False
    started: bool = False

    def split(self, data: bytes) -> list[bytes]:
        if self.after_cr and data:
            data = data.removeprefix(b"\n")
            self.after_cr = False
        if b"\r" in data:
            self.after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        if lines and not self.started:
            lines[0], self.started = lines[0].removeprefix(_BOM), True
        return lines


@dataclass(slots=True)
class AnswerReader:
    """The same in steps, so that a caller on an event loop can let others run in between."""

    _lines: _Lines = field(default_factory=_Lines)
    _data: list[bytes] = field(default_factory=list)
    _event: bytes = b""
    _pinged: bool = False
    _fresh: bool = True
    _times: list[float] = field(default_factory=list)
    _kinds: list[str] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _said: dict[int, int] = field(default_factory=dict)
    _counted: int = 0
    _finish_reason: str | None = None
    _usage: Mapping[str, int] | None = None
    _done: float | None = None
    _last: float = 0.0
    _error: str = ""
    _broken: str = ""

    def feed(self, time: float, data: bytes) -> None:
        """Take what one read returned, at its time in seconds."""
        self._last = time
        # Nearly all reads are one event of one line. The long way says the same of them, at three times the price.
        if self._fresh and _is_one_event(data):
            self._lines.started = True
            self._body(time, data[6:-2])
            self._fresh = not self._broken
            return
        if self._over():
            return
        for line in self._lines.split(data):
            self._line(time, line)
            if self._over():
                break
        self._fresh = self._is_fresh()

    def finish(self) -> Answer:
        """What the stream said. An event without its closing blank line never happened, except the last `[DONE]`."""
        if self._done is None and (self._lines.rest.strip() == b"data: [DONE]" or self._data == [b"[DONE]"]):
            self._end(self._last)
        return Answer(
            times=self._times,
            kinds="".join(self._kinds),
            texts=self._texts,
            said=self._said,
            finish_reason=self._finish_reason,
            usage=self._usage,
            done=self._done,
            error=self._error,
            broken=self._broken,
        )

    def _over(self) -> bool:
        """Nothing behind `[DONE]` counts, nor what follows something that is no event of the API."""
        return self._done is not None or self._broken != ""

    def _is_fresh(self) -> bool:
        """Whether the next byte begins an event of its own."""
        pending = self._data or self._event or self._pinged or self._lines.rest or self._lines.after_cr
        return not (pending or self._over())

    def _line(self, time: float, line: bytes) -> None:
        """One line by the rules of https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6."""
        if not line:
            self._dispatch(time)
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif not name:
            self._pinged = True

    def _dispatch(self, time: float) -> None:
        data, pinged = b"\n".join(self._data), self._pinged
        event, self._event = self._event, b""
        self._data, self._pinged = [], False
        if data.strip() == b"[DONE]":
            self._end(time)
        elif data:
            self._body(time, data, event)
        elif pinged:
            self._add(time, PING)

    def _end(self, time: float) -> None:
        self._done = time
        self._add(time, END)

    def _add(self, time: float, kind: str, text: str = "") -> None:
        self._times.append(time)
        self._kinds.append(kind)
        self._texts.append(text)

    def _body(self, time: float, data: bytes, event: bytes = b"") -> None:
        try:
            body = loads(data)
        except UnicodeDecodeError:
            self._broken = "the stream is not UTF-8"
            return
        except ValueError:
            self._broken = f"an event is not JSON: {data[:80].decode(errors='replace')!r}"
            return
        if not isinstance(body, dict):
            self._broken = f"an event is not a JSON object: {data[:80].decode(errors='replace')!r}"
        elif event == b"error" or body.get("error"):
            self._error = self._error or error_text(body)
            self._add(time, ERROR)
        else:
            self._completion(time, body)

    def _completion(self, time: float, body: Mapping[str, Any]) -> None:
        choices = body.get("choices")
        usage = body.get("usage")
        if usage:
            self._usage = counts_in(usage) or self._usage
        if type(choices) is not list:
            self._broken = "an event has no list of choices"
            return
        kind, text, tells = (ROLE if choices or not usage else USAGE), "", bool(usage)
        for choice in choices:
            if type(choice) is not dict:
                self._broken = "an event has no list of choices"
                return
            get = choice.get
            self._finish_reason = self._finish_reason or get("finish_reason")
            its, more = _read_choice(choice)
            if kind is ROLE or _WEIGHT[its] > _WEIGHT[kind]:
                kind = its
            text = text + more if text else more
            tells = tells or get("logprobs") is not None or get("token_ids") is not None
        if tells and kind in TOKENS:
            self._note(choices, usage)
        self._add(time, kind, text)

    def _note(self, choices: list[Any], usage: Any) -> None:
        """Keep the tokens of this event where the server tells: by its choices, or by a count that runs along."""
        total = usage.get("completion_tokens") if isinstance(usage, dict) else None
        if type(total) is int:
            tokens, self._counted = total - self._counted, total
        else:
            tokens = sum(map(_said_by, choices))
        if tokens > 0:
            self._said[len(self._kinds)] = tokens


def _is_one_event(data: bytes) -> bool:
    return (
        data[:7] == b"data: {" and data[-3:] == b"}\n\n" and data.count(b"\n") == _LINE_FEEDS and data.find(b"\r") < 0
    )


def counts_in(usage: Any) -> dict[str, int]:
    """Counts in a usage object, those of its details too, by their own names; where names meet, the outer one holds."""
    if not isinstance(usage, dict):
        return {}
    parts = (*(one for one in usage.values() if isinstance(one, dict)), usage)
    return {key: value for part in parts for key, value in part.items() if type(value) is int and value >= 0}


def _read_choice(choice: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and text of one choice, of chat (`delta`) or of plain completions (`text`)."""
    delta = choice.get("delta")
    if isinstance(delta, dict):
        content = delta.get("content")
        if content and isinstance(content, str):
            return CONTENT, content
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if reasoning and isinstance(reasoning, str):
            return REASONING, reasoning
        if delta.get("tool_calls"):
            return TOOL, json.dumps(delta["tool_calls"])
    text = choice.get("text")
    if text and isinstance(text, str):
        return CONTENT, text
    return (FINISH if choice.get("finish_reason") else ROLE), ""


def _said_by(choice: Mapping[str, Any]) -> int:
    """Tokens a choice lists by itself: vLLM's `token_ids`, or log probabilities; 0 when it lists none."""
    ids = choice.get("token_ids")
    if isinstance(ids, list):
        return len(ids)
    logprobs = choice.get("logprobs")
    if isinstance(logprobs, dict):
        listed = logprobs.get("content") or logprobs.get("tokens")
        return len(listed) if isinstance(listed, list) else 0
    return 0


def error_text(body: Mapping[str, Any]) -> str:
    """The message in an error body of OpenAI's API, or the whole body as text."""
    error = body.get("error", body)
    message = error.get("message") if isinstance(error, dict) else error
    return str(message if isinstance(message, str) and message else json.dumps(body))[:200]
