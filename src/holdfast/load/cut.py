"""How a running generator is told to offer no more from some second on: a file beside its record, written whole.

A file and not a signal: it carries the second, it is there for whoever looks later, and it stays with the record as
evidence of what was asked. The generator looks before every single request, so when it is told ahead of time, what it
offered is exactly what was due before that second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.store.folder import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def place(records: Path) -> Path:
    """Where the word for the generator that writes `records` lies."""
    return records.with_name(f"{records.name}.cut")


def tell(records: Path, until: float) -> None:
    """Say that nothing due at or after `until`, in seconds from the epoch, is to be offered. Raises OSError."""
    write_whole(place(records), f"{until!r}\n")


@dataclass(slots=True)
class Ears:
    """The generator's side. Without `path` nobody can tell it anything."""

    path: Path | None = None

    def until(self) -> float:
        """The second from which on nothing is to be offered; inf as long as nobody has said one.

        Raises OSError when something else than a second stands there: a load that may have been cut is no load.
        """
        # Asked before every request, also by a process that has no file left to open.
        if self.path is None or not self.path.exists():
            return math.inf
        try:
            return _second(self.path.read_text(encoding="ascii"))
        except ValueError as error:
            raise OSError(f"{self.path} does not say when to stop: {error}") from error


def _second(text: str) -> float:
    value = float(text)
    if math.isnan(value):
        raise ValueError("not a number")
    return value
