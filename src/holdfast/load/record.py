"""Writes what the load did, one NDJSON line per os.write, so that a killed run leaves a readable file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from holdfast.load.spread import Counted
    from holdfast.model.load import LoadProfile

Outcome = Literal["ok", "rejected", "http_error", "connect", "timeout", "cut", "malformed", "dropped", "unfinished"]


# Neither frozen (4 µs a request, and all other stamps would wait for them) nor with slots (1 µs: orjson reads a dict).
@dataclass(kw_only=True)
class RequestRecord:
    """One planned arrival and what became of it; times in seconds from the epoch, None where it did not get so far.

    `sent` is when the client turned to the network, before it had a connection: `sent - due` is the client's own
    lateness. `written` is when the kernel had taken the last byte of the request, `headers` when the answer's had come.
    `first` and `last` are the reads that completed the first and the last token, `done` is `[DONE]`, or whatever ended
    the answer without it, `ended` when the exchange was over. `tokens` and `prompt_tokens` are the server's usage where
    it gave one, else the events counted and the tokens asked for; `counted` says which (`load.spread`). `max_gap` is
    the longest wait between two tokens. `content` is "right" or what is wrong with an answer that was known
    beforehand, empty where none was. `at`, `kinds` and `counts` are the events (`store.pieces`).
    """

    id: int
    due: float
    sent: float | None = None
    first: float | None = None
    last: float | None = None
    done: float | None = None
    status: int | None = None
    outcome: Outcome
    error: str = ""
    prompt_tokens: int
    asked_tokens: int
    tokens: int = 0
    max_gap: float | None = None
    model: str
    written: float | None = None
    headers: float | None = None
    ended: float | None = None
    finish: str = ""
    cached_tokens: int | None = None
    counted: Counted = "events"
    tenant: str = ""
    session: str = ""
    content: str = ""
    at: Sequence[int] = ()
    kinds: str = ""
    counts: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The generator's own health at `t`: worst loop lateness and CPU share of one core since the beat before."""

    t: float
    lag: float
    cpu: float
    in_flight: int
    offered: int
    sent: int


class RecordWriter:
    """Appends to a new file. Raises FileExistsError rather than mix two runs, OSError when the disk takes no line."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def start(
        self,
        *,
        planned: int,
        seed: int,
        epoch_monotonic: float,
        epoch_wall: float,
        profile: LoadProfile,
        notes: Sequence[str] = (),
    ) -> None:
        """The first line: what was planned, where time zero stands on both clocks (seconds), what to know."""
        line = {"planned": planned, "seed": seed, "epoch_monotonic": epoch_monotonic, "epoch_wall": epoch_wall}
        self._write("start", {**line, "profile": asdict(profile), "notes": list(notes)})

    def request(self, request: RequestRecord) -> None:
        """One line per request, when it has ended."""
        try:
            line = orjson.dumps(request)
        except TypeError:
            # Half a surrogate pair, which a server's JSON may hold and no file of text can.
            line = orjson.dumps(replace(request, error=_text(request.error), finish=_text(request.finish)))
        self._put(b'{"kind":"request",' + line[1:])

    def beat(self, beat: Beat) -> None:
        """One line several times a second: silence between two beats is evidence too."""
        self._write("beat", asdict(beat))

    def end(self, *, t: float, planned: int, sent: int, dropped: int) -> None:
        """The last line; a file without it was killed."""
        self._write("end", {"t": t, "planned": planned, "sent": sent, "dropped": dropped})

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, kind: str, fields: dict[str, Any]) -> None:
        self._put(json.dumps({"kind": kind, **fields}, separators=(",", ":"), allow_nan=False).encode())

    def _put(self, line: bytes) -> None:
        if os.write(self._file, line + b"\n") != len(line) + 1:
            raise OSError("the record file took only part of a line: disk full?")


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
