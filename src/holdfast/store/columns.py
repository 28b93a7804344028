"""The columns of load records, and how a value of a line becomes a cell: text, or a number with nothing for missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_COLUMNS: Final = (
    "id", "due", "sent", "first", "last", "done", "status", "outcome", "error", "prompt_tokens", "asked_tokens",
    "tokens", "max_gap", "model", "content",
)  # fmt: skip
"""What is judged."""
DETAIL_COLUMNS: Final = ("written", "headers", "ended", "finish", "cached_tokens", "counted", "tenant", "session")
"""What else is known of a request; older records lack them."""
BEAT_COLUMNS: Final = ("t", "lag", "cpu", "in_flight", "offered", "sent", "worker")
"""`worker` is whose beat it is in a load from several processes; older records lack it."""

_TEXT: Final = frozenset({"outcome", "error", "model", "content", "finish", "counted", "tenant", "session"})


def is_text(name: str) -> bool:
    """Whether a column holds text; all others hold numbers."""
    return name in _TEXT


def cell(row: Mapping[str, Any], name: str) -> str | float | None:
    """The value of a column in one line. Raises ValueError or TypeError for what is no number where one belongs."""
    value = row.get(name)
    if name not in _TEXT:
        return None if value is None else float(value)
    # A server's JSON may hold half a surrogate pair, which no file of text can.
    return "" if value is None else str(value).encode("utf-8", "replace").decode()
