"""The write-ahead ledger of faults: a line before each step, so that whoever comes next knows what may be broken.

It belongs to the platform, not to a run: a killed harness leaves it behind, and the next start reads it.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from holdfast.model.platform import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from holdfast.clock import Clock

OVER: Final = frozenset({"gone", "refused"})
"""Steps after which nothing of a fault is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One step of one fault: asked, refused, applied, observed, unseen, undone, gone or stuck."""

    id: str
    run: str
    fault: str
    step: str
    name: str
    role: str
    unit: str
    monotonic: float
    wall: float
    detail: str = ""

    @property
    def target(self) -> Identity:
        """What was struck."""
        return Identity(name=self.name, role=self.role, unit=self.unit)


@dataclass(frozen=True, slots=True)
class Ledger:
    """An append-only NDJSON file; each line is one write, so that lines of several writers never mix."""

    path: Path
    clock: Clock

    def write(self, *, id: str, run: str, fault: str, step: str, target: Identity, detail: str = "") -> Entry:  # noqa: A002
        """Append one step. Raises OSError when it cannot be kept: then the step must not happen."""
        entry = Entry(
            id=id,
            run=run,
            fault=fault,
            step=step,
            name=target.name,
            role=target.role,
            unit=target.unit,
            monotonic=self.clock.monotonic(),
            wall=self.clock.wall(),
            detail=detail,
        )
        line = json.dumps(asdict(entry)).encode() + b"\n"
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            line = b"\n" * _torn(handle) + line
            if os.write(handle, line) != len(line):
                raise OSError(errno.ENOSPC, "the ledger took only part of a line", str(self.path))
            os.fsync(handle)
        finally:
            os.close(handle)
        return entry

    def entries(self) -> Iterator[Entry]:
        """Every whole line, in order; a torn last line is passed over: its step never happened."""
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield Entry(**json.loads(line))
            except (ValueError, TypeError):
                continue

    def open_faults(self, run: str | None = None) -> tuple[Entry, ...]:
        """The last step of each fault that may still be there, newest first: undo goes last in, first out."""
        last = {entry.id: entry for entry in self.entries() if run in (None, entry.run)}
        return tuple(entry for entry in reversed(last.values()) if entry.step not in OVER)


def _torn(handle: int) -> bool:
    """Whether the last line was cut short: what follows must not be glued to it and lost."""
    size = os.fstat(handle).st_size
    return size > 0 and os.pread(handle, 1, size - 1) != b"\n"
