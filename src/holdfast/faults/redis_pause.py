"""`redis_pause`: a store takes no writes and says nothing to them (CLIENT PAUSE ... WRITE); reads go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.faults.base import Fault
from holdfast.faults.ways.recovered import ready_again
from holdfast.faults.ways.store import BLINK, SilentError, Store
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Stores

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_MARK: Final = "holdfast:pause:{id}"
"""A key of ours that says whose pause it is: the store keeps no name for it. It outlives no hour."""
_HOUR: Final = 3600


class RedisPause(Fault):
    """Seen to bite when a write gets no answer while a PING does. The store itself ends it when the lease is over.

    Not CLIENT PAUSE ... ALL: that would hold up the command that is to end it as well.
    """

    title: ClassVar = "silent to writes"
    family: ClassVar = "dependency"
    words: ClassVar = Words(
        apply="CLIENT PAUSE (the lease) WRITE at {target}",
        bites="a write gets no answer, a PING does",
        undo="CLIENT UNPAUSE",
        gone="a write is answered, and a replica of that name is ready",
    )

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Say whose it is, then pause."""
        store = _store(driver, strike)
        store.ask("SET", _MARK.format(id=strike.id), "1", "EX", _HOUR)
        _pause(store, strike)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """A write is not answered."""
        store = _store(driver, strike)
        if not store.answers():
            return Sight(False, "it answers nothing at all")
        try:
            store.ask("DEL", f"holdfast:probe:{strike.id}", within=BLINK)
        except SilentError:
            return Sight(True, f"no answer to a write within {BLINK:g} s, but to a PING")
        return Sight(False, "a write was answered")

    def renew(self, driver: Driver, strike: Strike) -> None:
        """A longer pause takes the place of a shorter; one that has ended stays so."""
        if self.bites(driver, strike).seen:
            _pause(_store(driver, strike), strike)

    def undo(self, driver: Driver, strike: Strike) -> None:
        """End the pause that bears our mark; no other."""
        store, mark = _store(driver, strike), _MARK.format(id=strike.id)
        if store.ask("EXISTS", mark):
            store.ask("CLIENT", "UNPAUSE")
            store.ask("DEL", mark)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """It takes writes."""
        if not _store(driver, strike).answers() or self.bites(driver, strike).seen:
            return Sight(False, "it does not take writes")
        return ready_again(driver, strike.target)


def _store(driver: Driver, strike: Strike) -> Store:
    return Store(*driver.hand(Stores).store(strike.target))


def _pause(store: Store, strike: Strike) -> None:
    store.ask("CLIENT", "PAUSE", round(strike.lease * 1000), "WRITE")


FAULT = RedisPause()
