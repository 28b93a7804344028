"""Counts what passes in a stream of server-sent events without parsing it: tokens, errors, the end mark."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(rb'"(?:content|text)": ?"(?!")')
_ERROR: Final = re.compile(rb'(?:^|\n)data: ?\{ ?"error"')
_ERROR_HINT: Final = b'"error"'
_DONE: Final = b"data: [DONE]"
_END: Final = b"\n\n"


class EventCounter:
    """Feed it the bytes as they come, cut anywhere; inside JSON text quotes are escaped, so a token counts once."""

    __slots__ = ("done", "failed", "rest", "tokens")

    def __init__(self) -> None:
        self.tokens = 0
        self.done = False
        self.failed = False
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
        if _ERROR_HINT in whole and _ERROR.search(whole):
            self.failed = True
