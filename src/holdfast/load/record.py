"""Writes what the load did, one NDJSON line per os.write, so that a killed run leaves a readable file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.model.load import LoadProfile

Outcome = Literal["ok", "rejected", "http_error", "connect", "timeout", "cut", "malformed", "dropped", "unfinished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One planned arrival and what became of it; times in seconds from the epoch, None where it did not get so far.

    `sent` is when the client turned to the network, before it had a connection: `sent - due` is the client's own
    lateness. `first` and `last` are the reads that completed the first and the last token, `done` the end: `[DONE]`, or
    whatever ended it without. `tokens` and `prompt_tokens` are the server's usage where it gave one, else the deltas
    counted and the tokens asked for. `max_gap` is the longest wait between two tokens.
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
        self, *, planned: int, seed: int, epoch_monotonic: float, epoch_wall: float, profile: LoadProfile
    ) -> None:
        """The first line: what was planned, and where time zero stands on both clocks (seconds)."""
        line = {"planned": planned, "seed": seed, "epoch_monotonic": epoch_monotonic, "epoch_wall": epoch_wall}
        self._write("start", {**line, "profile": asdict(profile)})

    def request(self, request: RequestRecord) -> None:
        """One line per request, when it has ended."""
        self._write("request", asdict(request))

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
        line = json.dumps({"kind": kind, **fields}, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError("the record file took only part of a line: disk full?")
