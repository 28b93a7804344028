"""Counts what passes in a stream of server-sent events without parsing it: tokens, gaps, errors, the end's marks."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(rb'"(?:content|text)": ?"(?!")')
_ERROR: Final = re.compile(rb'(?:^|\n)data: ?\{ ?"error"')
_ERROR_HINT: Final = b'"error"'
_FINISHES: Final = (b'"finish_reason":"', b'"finish_reason": "')
_DONE: Final = b"data: [DONE]"
_END: Final = b"\n\n"


class EventCounter:
    """Feed it the bytes as they come, cut anywhere; inside JSON text quotes are escaped, so a token counts once."""

    __slots__ = ("done", "failed", "finished", "rest", "tokens")

    def __init__(self) -> None:
        self.tokens = 0
        self.done = False
        self.failed = False
        self.finished = False
        self.rest = b""

    def feed(self, chunk: bytes) -> None:
        """Count the events that are complete; an incomplete one waits in `rest`."""
        whole = self.rest + chunk if self.rest else chunk
        if whole.endswith(_END):
            self.rest = b""
        else:
            cut = whole.rfind(_END) + len(_END)
            if cut < len(_END):
                self.rest = whole
                return
            whole, self.rest = whole[:cut], whole[cut:]
        self.tokens += len(_TOKEN.findall(whole))
        self.done = self.done or _DONE in whole
        self.finished = self.finished or any(mark in whole for mark in _FINISHES)
        if _ERROR_HINT in whole and _ERROR.search(whole):
            self.failed = True


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
