"""`redis_full`: a store has no memory left and refuses writes (maxmemory 1, noeviction); reads go on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.faults.base import Fault
from holdfast.faults.ways.recovered import ready_again
from holdfast.faults.ways.store import RefusedError, Store
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Stores

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_BEFORE: Final = "holdfast:full:{id}"
"""Where the store itself keeps how it was set before: a restart forgets both together."""
_SETTINGS: Final = ("maxmemory", "maxmemory-policy")


class RedisFull(Fault):
    """Seen to bite when the store answers a write with OOM."""

    title: ClassVar = "out of memory"
    family: ClassVar = "dependency"
    words: ClassVar = Words(
        apply="CONFIG SET maxmemory 1 maxmemory-policy noeviction at {target}; the old values are kept in a key there",
        bites="a write is answered with OOM",
        undo="CONFIG SET to the values that are kept",
        gone="a write is taken, and a replica of that name is ready",
    )

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Keep what was set, once; then leave no memory."""
        store = _store(driver, strike)
        before = {name: _setting(store, name) for name in _SETTINGS}
        store.ask("SET", _BEFORE.format(id=strike.id), json.dumps(before), "NX")
        store.ask("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", 1)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """A write that would need memory is refused."""
        try:
            _store(driver, strike).ask("SET", f"holdfast:probe:{strike.id}", "1", "PX", 1)
        except RefusedError as error:
            return Sight(str(error).startswith("OOM"), str(error))
        return Sight(False, "a write was taken")

    def undo(self, driver: Driver, strike: Strike) -> None:
        """As it was before; nothing where nothing is kept."""
        store, key = _store(driver, strike), _BEFORE.format(id=strike.id)
        kept = store.ask("GET", key)
        if isinstance(kept, str):
            before = json.loads(kept)
            store.ask("CONFIG", "SET", *(word for name in _SETTINGS for word in (name, before[name])))
            store.ask("DEL", key)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """It takes writes."""
        store = _store(driver, strike)
        if not store.answers():
            return Sight(False, "it does not answer")
        bites = self.bites(driver, strike)
        return Sight(False, bites.detail) if bites.seen else ready_again(driver, strike.target)


def _store(driver: Driver, strike: Strike) -> Store:
    return Store(*driver.hand(Stores).store(strike.target))


def _setting(store: Store, name: str) -> str:
    reply = store.ask("CONFIG", "GET", name)
    return str(reply[1]) if isinstance(reply, list) else ""


FAULT = RedisFull()
