"""How the events of requests lie in a record: letters for kinds, microseconds for times, no count where each is one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import orjson

from holdfast.model.stream import KINDS, TOKEN_KINDS, Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

LETTERS: Final[Mapping[PieceKind, str]] = dict(zip(KINDS, "rctxfuped", strict=True))
"""One letter for each kind of event; reasoning is a thought, `t`."""
KIND_OF: Final[Mapping[str, PieceKind]] = {letter: kind for kind, letter in LETTERS.items()}
TOKEN_LETTERS: Final = frozenset(letter for kind, letter in LETTERS.items() if kind in TOKEN_KINDS)
PIECE_COLUMNS: Final = ("id", "at", "kinds", "counts")
"""Of one request: its number; for each event microseconds from `sent`, a letter, and tokens (null for one each)."""

_MICRO: Final = 1e-6


def loads(data: bytes) -> Any:
    """JSON of bytes, four times as fast as the standard library. Raises ValueError, UnicodeDecodeError among them."""
    try:
        return orjson.loads(data)
    except ValueError:
        # Half a surrogate pair is JSON to the standard library alone, and servers do cut such pairs in two.
        return json.loads(data.decode())


def dumps(value: Any) -> bytes:
    """JSON in bytes, ten times as fast as the standard library."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # Half a surrogate pair, which the standard library alone writes.
        return json.dumps(value, separators=(",", ":")).encode()


def pieces_of(line: Mapping[str, Any]) -> tuple[Piece, ...]:
    """The events of one request from its columns; none in records that were written before events were kept."""
    kinds, sent = line.get("kinds") or "", line.get("sent")
    if not kinds or sent is None:
        return ()
    counts = line.get("counts")
    counts = [int(kind in TOKEN_LETTERS) for kind in kinds] if counts is None else counts
    return tuple(
        Piece(t=round(sent + at * _MICRO, 6), kind=KIND_OF[kind], tokens=tokens)
        for at, kind, tokens in zip(line["at"], kinds, counts, strict=True)
    )
