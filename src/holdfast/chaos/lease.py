"""A run's right to hold faults: renewed while it lives, over when it lapses, when its holder dies, when it is revoked.

One small file a run beside the ledger, replaced whole. Whoever finds a fault without a valid lease may take it back.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.platforms import pids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.clock import Clock

LENGTH: Final = 20.0
"""Seconds that a fault may outlive the last sign of life of its run, at most; the fourth law allows 30."""
SHORTEST: Final = 2.0
"""Shorter ones end by a busy machine alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """`until` is a second of the monotonic clock, `holder` "pid@ticks" of the process that renews."""

    run: str
    holder: str
    until: float
    revoked: bool = False

    def __post_init__(self) -> None:
        """Raises TypeError for what only a file that is no lease can hold."""
        if not (isinstance(self.holder, str) and isinstance(self.until, int | float)):
            raise TypeError(f"not a lease: {self}")


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of one platform; `folder` need not exist. Those written here hold for `length` seconds."""

    folder: Path
    clock: Clock
    length: float = LENGTH

    def renew(self, run: str, holder: str) -> Lease:
        """Hold for `length` from now; a lease once revoked stays so. Raises OSError when it cannot be kept."""
        found = self.find(run)
        until = self.clock.monotonic() + self.length
        lease = Lease(run=run, holder=holder, until=until, revoked=bool(found and found.revoked))
        self._write(lease)
        return lease

    def find(self, run: str) -> Lease | None:
        """The lease of a run; None without one, or when its file is no lease."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Lease(**json.loads(self._path(run).read_bytes()))
        return None

    def valid(self, run: str) -> bool:
        """Whether somebody alive holds it now. A second beyond LENGTH is of another boot, and holds nothing."""
        lease = self.find(run)
        if lease is None or lease.revoked or not 0 < lease.until - self.clock.monotonic() <= LENGTH:
            return False
        holder = pids.parse(lease.holder)
        return holder is not None and pids.exists(holder)

    def revoked(self, run: str) -> bool:
        """Whether somebody asked this run to let go."""
        lease = self.find(run)
        return lease is not None and lease.revoked

    def revoke(self, run: str) -> None:
        """Ask a run to let go: it strikes no more, and its faults may be taken back by anybody."""
        found = self.find(run)
        self._write(Lease(run=run, holder=found.holder if found else "", until=0.0, revoked=True))

    def release(self, run: str) -> None:
        """The run has nothing to hold any more."""
        self._path(run).unlink(missing_ok=True)

    def all(self) -> Iterator[Lease]:
        """Every lease that lies there."""
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else ():
            if found := self.find(path.stem):
                yield found

    def _path(self, run: str) -> Path:
        return self.folder / f"{Path(run).name}.json"

    def _write(self, lease: Lease) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(lease.run)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(asdict(lease)), encoding="utf-8")
        draft.replace(path)
