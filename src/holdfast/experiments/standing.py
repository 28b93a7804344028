"""Faults that may still be on a platform: who holds each and for how long, and how all of them are taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from holdfast import faults
from holdfast.chaos import ledger
from holdfast.chaos.strike import Striker
from holdfast.errors import HoldfastError, InfrastructureError, UsageError
from holdfast.platforms.connect import every
from holdfast.platforms.kubernetes import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from holdfast.chaos.ledger import Entry
    from holdfast.clock import Clock
    from holdfast.model.platform import Driver

UNDO: Final = "holdfast chaos undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One fault that was never seen gone: its last step, `age` seconds ago, and who answers for it."""

    last: Entry
    age: float
    holder: str
    """pid@ticks of the process that renews the lease; empty where nobody alive does."""
    left: float
    """Seconds of the lease; 0 says that anybody may take the fault back."""

    reaper: bool
    """Whether its platform has a reaper that never stops; a cluster has none, only one beside each run for a while."""

    def __str__(self) -> str:
        """One line for a person."""
        what = f"{self.last.fault} of {self.last.name}: {self.last.step} {self.age:.0f}s ago, run {self.last.run}"
        if self.last.fault not in faults.names():
            return f"{what}; no such fault is known, nobody can take it back: {self._way_out}"
        if not self.holder:
            return f"{what}; nobody holds it" + (", the reaper takes it back" if self.reaper else f": {UNDO}")
        return f"{what}; held by process {self.holder.partition('@')[0]}, lease {self.left:.0f}s"

    @property
    def _way_out(self) -> str:
        return f"put things right yourself, then: holdfast chaos undo --forget {self.last.id}"

    def as_dict(self) -> dict[str, Any]:
        """For machines; seconds."""
        last = self.last
        told = {"id": last.id, "fault": last.fault, "target": last.name, "role": last.role, "unit": last.unit}
        held = {"holder": self.holder or None, "lease_left": self.left}
        return {**told, "run": last.run, "step": last.step, "detail": last.detail, "age": self.age, **held}


def standing(state: Path, clock: Clock) -> tuple[Standing, ...]:
    """Every open fault, newest first. Raises PlatformError when no platform is up."""
    books = [(ledger.of(driver, clock), driver.name != NAME) for driver in every(state)]
    return tuple(_standing(book, entry, clock, reaper=reaper) for book, reaper in books for entry in book.open_faults())


def _standing(book: ledger.Ledger, entry: Entry, clock: Clock, *, reaper: bool) -> Standing:
    lease, valid = book.leases.find(entry.run), book.leases.valid(entry.run)
    return Standing(
        last=entry,
        age=max(0.0, clock.monotonic() - entry.monotonic),
        holder=lease.holder if lease and valid else "",
        left=max(0.0, lease.until - clock.monotonic()) if lease and valid else 0.0,
        reaper=reaper,
    )


def undo(state: Path, clock: Clock) -> Iterator[Entry]:
    """Make every run let go, then undo its faults, newest first. Raises what kept the first, once all were tried."""
    strikers = [_by_hand(driver, clock) for driver in every(state)]
    for striker in strikers:
        for entry in striker.ledger.open_faults():
            striker.ledger.leases.revoke(entry.run)
    yield from _restored((striker, entry) for striker in strikers for entry in striker.ledger.open_faults())


def forget(state: Path, clock: Clock, id: str) -> Entry:  # noqa: A002 - what it is called in the file
    """Call one fault over because somebody says so: nobody looks after it any more.

    Raises UsageError when none of that id is open, InfrastructureError when somebody alive still holds it.
    """
    strikers = [_by_hand(driver, clock) for driver in every(state)]
    found = {entry.id: (striker, entry) for striker in strikers for entry in striker.ledger.open_faults()}
    if id not in found:
        raise UsageError(f"no fault {id!r} is open", hint=", ".join(found) or "none is: holdfast chaos status")
    striker, entry = found[id]
    _unheld(striker.ledger, entry)
    return replace(striker, run=entry.run).forget(entry)


def sweep(striker: Striker) -> None:
    """Take back what a killed run left broken.

    Raises, once all were tried, what kept the first of them from it; InfrastructureError when somebody alive still
    holds a fault.
    """
    left = striker.ledger.open_faults()
    for entry in left:
        _unheld(striker.ledger, entry)
    for _ in _restored((striker, entry) for entry in left):
        continue


def _by_hand(driver: Driver, clock: Clock) -> Striker:
    return Striker(driver=driver, ledger=ledger.of(driver, clock), clock=clock, run="by hand", seed=0)


def _unheld(book: ledger.Ledger, entry: Entry) -> None:
    if book.leases.valid(entry.run):
        told = f"{entry.run} holds a fault on this platform: {entry.fault} of {entry.name}"
        raise InfrastructureError(told, hint="wait for it, or take it back: holdfast chaos undo")


def _restored(left: Iterable[tuple[Striker, Entry]]) -> Iterator[Entry]:
    stuck: HoldfastError | None = None
    for striker, entry in left:
        try:
            yield striker.restore(entry)
        except HoldfastError as error:
            stuck = stuck or error
    if stuck:
        raise stuck
