"""Takes back what a run left behind: beside one run until that ends, or as a process of the platform, for every run.

    python -m holdfast.chaos.reaper STATE --run RUN --holder PID@TICKS     when the holder is gone or its lease lapsed
    python -m holdfast.chaos.reaper STATE --port PORT                      whatever has no valid lease, for ever

Both read the ledger that was written before each strike; neither needs anything from the process that struck.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.chaos import ledger
from holdfast.chaos.strike import Striker
from holdfast.clock import SystemClock
from holdfast.errors import HoldfastError, PlatformError
from holdfast.platforms import pids
from holdfast.platforms.connect import connect
from holdfast.platforms.kubernetes import RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdfast.chaos.ledger import Entry, Ledger
    from holdfast.model.platform import Driver

_LOOK: Final = 0.5
_PATIENCE: Final = 120.0
"""Seconds after its run that a reaper goes on trying to see faults gone; the platform's own never stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaper:
    """One platform, and one run of it or all."""

    state: Path
    run: str = ""
    told: set[str] = field(default_factory=set)
    """What stood in the way, each told once."""

    def reap(self, *, ended: bool) -> int:
        """Undo what may be undone, newest first; how many faults are still open. Raises PlatformError without one."""
        driver = connect(self.state)
        book = ledger.of(driver, SystemClock())
        # All are undone before the first is waited for: none outlives its lease because another one is slow to go.
        undone = [entry for entry in self._due(book, ended=ended) if self._try(_undo, driver, book, entry)]
        for entry in undone:
            self._try(_see_gone, driver, book, entry)
        return len(self._mine(book.open_faults()))

    def release(self) -> None:
        """Its run is over: the lease goes with it. A platform that is gone keeps none."""
        with contextlib.suppress(PlatformError, OSError):
            ledger.of(connect(self.state), SystemClock()).leases.release(self.run)

    def _due(self, book: Ledger, *, ended: bool) -> tuple[Entry, ...]:
        return self._mine(book.open_faults() if ended else book.lapsed_faults())

    def _mine(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        return tuple(entry for entry in entries if self.run in ("", entry.run))

    def _try(self, part: Callable[[Striker, Entry], None], driver: Driver, book: Ledger, entry: Entry) -> bool:
        """Whether it was done. What was not is told, and tried again at the next look."""
        try:
            part(Striker(driver=driver, ledger=book, clock=SystemClock(), run=entry.run, seed=0), entry)
        except Exception as error:  # noqa: BLE001 - one fault's bug must not keep the others from being taken back
            self._tell(f"{entry.fault} of {entry.name}", error)
            return False
        return True

    def _tell(self, what: str, error: Exception) -> None:
        told = f"{what}: {error if isinstance(error, HoldfastError) else f'{type(error).__name__}: {error}'}"
        if told not in self.told:
            self.told.add(told)
            print(told, file=sys.stderr, flush=True)


def _undo(striker: Striker, entry: Entry) -> None:
    """Written as a step of the run that struck, so that its record says who ended its fault."""
    if entry.step not in {"lapsed", "undone", "stuck"}:
        striker.ledger.write(
            id=entry.id,
            run=entry.run,
            fault=entry.fault,
            step="lapsed",
            target=entry.target,
            detail=f"taken back by process {os.getpid()}",
            options=entry.options,
        )
    striker.undo(entry)


def _see_gone(striker: Striker, entry: Entry) -> None:
    striker.see_gone(entry)


def beside(reaper: Reaper, holder: pids.Incarnation) -> int:
    """Look on until the holder is gone and nothing of its run is open; 1 when that could not be had in time."""
    ended_at: float | None = None
    while True:
        if ended_at is None and (_let_loose(sys.stdin.fileno(), _LOOK) or not pids.exists(holder)):
            ended_at = time.monotonic()
        try:
            left = reaper.reap(ended=ended_at is not None)
        except (PlatformError, OSError):
            # A platform that is gone has no faults. A cluster whose record cannot be read now still has them.
            left = int(ended_at is None or (reaper.state / RECORD).exists())
        if ended_at is not None and (left == 0 or time.monotonic() > ended_at + _PATIENCE):
            reaper.release()
            return int(left > 0)
        if ended_at is not None:
            time.sleep(_LOOK)


def _let_loose(stdin: int, seconds: float) -> bool:
    """Whether the pipe from the holder was closed within so many seconds."""
    ready, _, _ = select.select([stdin], [], [], seconds)
    return bool(ready) and not os.read(stdin, 1)


def of_platform(reaper: Reaper, port: int) -> None:
    """For ever: the platform ends it. Who connects to the port learns that it looks on, and nothing else."""
    with socket.create_server(("127.0.0.1", port)) as door:
        while True:
            if select.select([door], [], [], _LOOK)[0]:
                door.accept()[0].close()
            # A platform that is coming up, or going down, has no faults to look at.
            with contextlib.suppress(PlatformError):
                reaper.reap(ended=False)


def main() -> int:
    """Read the arguments and watch."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.chaos.reaper", description=__doc__)
    parser.add_argument("state", type=Path)
    parser.add_argument("--run", default="")
    parser.add_argument("--holder", type=pids.parse)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    reaper = Reaper(state=given.state, run=given.run)
    if given.holder is None:
        of_platform(reaper, given.port)
    print("watching", flush=True)
    return beside(reaper, given.holder)


if __name__ == "__main__":
    sys.exit(main())
