"""runs/attempts.ndjson: every attempt of a gate, one synced line when it begins and one when it ends. Append-only.

An attempt without an end was killed, and counts. A line that a killed process cut short counts as an attempt of whoever
asks, because nobody can say whose it was. The file shows accidents, not forgery: who can write it can start anew.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME: Final = "attempts.ndjson"
_TORN: Final = {"kind": "torn"}
"""Stands behind a line that was cut short, so that one cut short by other hands is told from it."""
_END: Final = '{"kind": "e'
"""What only the line of an end begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One attempt as the ledger has it: `end` is what it wrote when it ended, None when it never did."""

    id: str
    key: str
    end: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The attempts that were made in one folder of runs."""

    path: Path

    def begin(self, attempt: str, key: str, **about: Any) -> None:
        """Note that an attempt begins. Raises InfrastructureError when that cannot be kept."""
        self._append({"kind": "begin", "attempt": attempt, "key": key, **about})

    def end(self, attempt: str, **result: Any) -> None:
        """Note how it ended. Raises InfrastructureError when that cannot be kept."""
        self._append({"kind": "end", "attempt": attempt, **result})

    def of(self, key: str) -> tuple[Noted, ...]:
        """Every attempt with this key, in order of beginning. Raises InfrastructureError when it cannot be read."""
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n") if self.path.exists() else []
            return tuple(one for one in _read(lines) if one.key in (key, ""))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _trouble(self.path, "read", error) from error

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                text = _mended(handle) + json.dumps(line, allow_nan=False) + "\n"
                if os.write(handle, text.encode()) != len(text.encode()):
                    raise OSError(28, "No space left on device", str(self.path))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise _trouble(self.path, "written", error) from error


def _trouble(path: Path, what: str, error: Exception) -> InfrastructureError:
    said = f"attempts cannot be counted: {path} cannot be {what}: {error}"
    return InfrastructureError(said, hint="without it nobody knows how often this was tried; restore the file")


def _mended(handle: int) -> str:
    """What must come first when the last line was cut short, so that nothing is glued to it."""
    size = os.fstat(handle).st_size
    whole = size == 0 or os.pread(handle, 1, size - 1) == b"\n"
    return "" if whole else f"\n{json.dumps(_TORN)}\n"


def _read(lines: list[str]) -> list[Noted]:
    """Attempts in order; one with an empty key is a beginning that was cut short."""
    found: dict[str, Noted] = {}
    for number, text in enumerate(lines):
        if not text:
            continue
        try:
            line = json.loads(text)
        except ValueError:
            if not _cut_short(lines, number):
                raise ValueError(f"line {number + 1} is damaged") from None
            if not text.startswith(_END):
                found[f"line {number + 1}"] = Noted(id=f"line {number + 1}", key="")
            continue
        _take(line, found)
    return list(found.values())


def _cut_short(lines: list[str], number: int) -> bool:
    """Whether a line that is no JSON is the last one, or was the last one when the next writer came."""
    after = lines[number + 1] if number + 1 < len(lines) else ""
    return number == len(lines) - 1 or after == json.dumps(_TORN)


def _take(line: Mapping[str, Any], found: dict[str, Noted]) -> None:
    kind = line["kind"]
    if kind == "begin":
        if not line["key"] or line["attempt"] in found:
            raise ValueError("an attempt begins twice, or has no key")
        found[line["attempt"]] = Noted(id=line["attempt"], key=line["key"])
    elif kind == "end":
        one = found[line["attempt"]]
        # The first end stands: nobody ends an attempt again with a better word.
        if one.end is None:
            found[one.id] = Noted(id=one.id, key=one.key, end=line)
    elif line != _TORN:
        raise ValueError(f"no line is of kind {kind!r}")
