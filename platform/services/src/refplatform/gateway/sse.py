"""Reads a stream of server-sent events as it passes: which may pass on, tokens, gaps, errors, the end's marks."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

_END: Final = re.compile(rb"\n\r?\n")
_DATA: Final = b"data:"
_DONE: Final = b"[DONE]"
_SAYS: Final = ("content", "reasoning_content", "tool_calls", "text")
"""What a choice may bring; one that brings none of them and has no end is an opening."""


class EventCounter:
    """Feed it the bytes as they come, cut anywhere; what it gives back are the events that may be passed on.

    `begun` once an answer has more than its opening; `whole` when each of its choices has a finish reason; `broken`
    when an event was no JSON object: neither it nor anything after it is given back.
    """

    __slots__ = ("_ended", "_open", "begun", "broken", "done", "failed", "rest", "tokens")

    def __init__(self) -> None:
        self.tokens = 0
        self.begun = False
        self.done = False
        self.failed = False
        self.broken = False
        self.rest = b""
        self._open: set[object] = set()
        self._ended: set[object] = set()

    @property
    def finished(self) -> bool:
        """Whether a finish reason came."""
        return bool(self._ended)

    @property
    def whole(self) -> bool:
        """Whether one came for each choice that there is."""
        return self.finished and self._open <= self._ended and not self.rest

    def feed(self, chunk: bytes) -> bytes:
        """Read the events that are complete; an incomplete one waits in `rest`."""
        block, begin = self.rest + chunk, 0
        for end in _END.finditer(block):
            if not self.broken:
                self.broken = not self._take(block[begin : end.start()])
            if self.broken:
                self.rest = b""
                return block[:begin]
            begin = end.end()
        self.rest = block[begin:]
        return block[:begin]

    def _take(self, event: bytes) -> bool:
        """Whether it can be read; one without data is a remark."""
        data = b"".join(line[len(_DATA) :] for line in event.splitlines() if line.startswith(_DATA)).strip()
        if data == _DONE or not data:
            self.done = self.done or bool(data)
            return True
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(value, dict):
            return False
        self.failed = self.failed or "error" in value
        choices = value.get("choices")
        return all(map(self._choose, choices)) if isinstance(choices, list) else True

    def _choose(self, choice: Any) -> bool:
        if not isinstance(choice, dict):
            return False
        said = choice.get("delta") or choice
        index = choice.get("index", 0)
        self._open.add(index)
        self.tokens += bool(said.get("content") or said.get("text"))
        if choice.get("finish_reason"):
            self._ended.add(index)
        self.begun = self.begun or index in self._ended or any(said.get(name) for name in _SAYS)
        return True


class Pace:
    """The longest wait for a token after the first; times are seconds of one steady clock.

    Time in which the client did not read is its own and does not count.
    """

    __slots__ = ("_since", "_tokens", "first", "longest")

    def __init__(self) -> None:
        self.first: float | None = None
        self.longest = 0.0
        self._tokens = 0
        self._since = 0.0

    def came(self, tokens: int, now: float) -> None:
        """So many tokens have come by now."""
        if tokens == self._tokens:
            return
        if self.first is None:
            self.first = now
        else:
            self.longest = max(self.longest, now - self._since)
        self._tokens, self._since = tokens, now

    def held(self, seconds: float) -> None:
        """The client kept the stream waiting for so long."""
        self._since += seconds

    def broke(self, now: float) -> None:
        """The stream ended while a token was due: the wait for it counts."""
        if self.first is not None:
            self.longest = max(self.longest, now - self._since)
