"""The write-ahead ledger of faults: a line before each step, so that whoever comes next knows what may be broken.

It belongs to the platform, not to a run: a killed harness leaves it behind, and the next start reads it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import struct
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from holdfast.chaos.lease import LENGTH, SHORTEST, Leases
from holdfast.errors import UsageError
from holdfast.model.fault import Strike
from holdfast.model.platform import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from holdfast.clock import Clock
    from holdfast.model.platform import Driver

OVER: Final = frozenset({"gone", "refused", "forgotten"})
"""Steps after which nothing of a fault is left, or somebody answers for what is."""
_LATE: Final = frozenset({"lapsed", "undone"})
"""Steps of somebody who took back what another had seen gone already: they break nothing anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One step of one fault.

    asked, refused, applied, observed, unseen, astray, lapsed, undone, gone, stuck or forgotten.
    """

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
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> Identity:
        """What was struck."""
        return Identity(name=self.name, role=self.role, unit=self.unit)

    @property
    def strike(self) -> Strike:
        """The fault as a value, from which it can be undone."""
        return Strike(id=self.id, fault=self.fault, target=self.target, options=self.options)


@dataclass(frozen=True, slots=True)
class Ledger:
    """An append-only NDJSON file; each line is one write, so that lines of several writers never mix."""

    path: Path
    clock: Clock
    lease: float = LENGTH
    """Seconds for which this process holds its faults without a sign of life."""

    @property
    def leases(self) -> Leases:
        """Who may hold faults on this platform, beside the ledger."""
        return Leases(self.path.with_suffix(".leases"), self.clock, self.lease)

    def write(
        self,
        *,
        id: str,  # noqa: A002 - what it is called in the file
        run: str,
        fault: str,
        step: str,
        target: Identity,
        detail: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> Entry:
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
            options=dict(options or {}),
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
        last: dict[str, Entry] = {}
        for entry in self.entries():
            before = last.get(entry.id)
            late = before is not None and before.step in OVER and entry.step in _LATE
            if run in (None, entry.run) and not late:
                last[entry.id] = entry
        return tuple(entry for entry in reversed(last.values()) if entry.step not in OVER)

    def last(self, id: str) -> Entry | None:  # noqa: A002 - what it is called in the file
        """The last step of one fault; None when it was never written down."""
        mine = [entry for entry in self.entries() if entry.id == id]
        return mine[-1] if mine else None

    def striking(self, id: str) -> AbstractContextManager[bool]:  # noqa: A002 - what it is called in the file
        """Whether, while the block lasts, nobody else strikes with this fault or calls it gone."""
        return self._alone(id, fcntl.F_WRLCK)

    def settled(self, id: str) -> AbstractContextManager[bool]:  # noqa: A002 - what it is called in the file
        """Whether, while the block lasts, nobody strikes with this fault; several may look at once."""
        return self._alone(id, fcntl.F_RDLCK)

    @contextlib.contextmanager
    def _alone(self, id: str, kind: int) -> Iterator[bool]:  # noqa: A002 - what it is called in the file
        """A lock on a byte that stands for the fault: the kernel ends it with whoever holds it, however they end."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield _locked(handle, kind, int.from_bytes(blake2b(id.encode(), digest_size=7).digest()))
        finally:
            os.close(handle)

    def lapsed_faults(self) -> tuple[Entry, ...]:
        """Those of them whose run holds no valid lease: anybody may take these back."""
        return tuple(entry for entry in self.open_faults() if not self.leases.valid(entry.run))


def of(driver: Driver, clock: Clock, lease: float = LENGTH) -> Ledger:
    """The ledger of a platform. Raises UsageError for a lease that would let a fault outlive its run for too long."""
    if not SHORTEST <= lease <= LENGTH:
        raise UsageError(f"a lease of {lease:g} s is not possible", hint=f"from {SHORTEST:g}s to {LENGTH:g}s")
    return Ledger(driver.ledger(), clock, lease)


def _locked(handle: int, kind: int, byte: int) -> bool:
    """A lock of this open file (fcntl(2), F_OFD_SETLK): it holds against other threads of this process as well."""
    wanted = struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)
    try:
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, wanted)
    except BlockingIOError:
        return False
    return True


def _torn(handle: int) -> bool:
    """Whether the last line was cut short: what follows must not be glued to it and lost."""
    size = os.fstat(handle).st_size
    return size > 0 and os.pread(handle, 1, size - 1) != b"\n"
