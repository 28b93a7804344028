"""Who may come in when the house is full: no tenant gets more than its share while others ask; one alone is never held.

No IO and no clock: times are seconds of the caller's steady clock.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

RECENT: Final = 5.0
"""Seconds after its last request in which a tenant still counts as one that asks."""


class Shares:
    """Requests in flight of each tenant; above `room` of them all, each may have an equal share of `room`."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._in_flight: Counter[str] = Counter()
        self._asked: dict[str, float] = {}

    def enter(self, tenant: str, now: float) -> bool:
        """Whether a request of the tenant may come in; if so, `leave` must be called when it ends."""
        self._asked[tenant] = now
        asking = self._asking(now)
        mine, share = self._in_flight[tenant], max(1, self._room // asking)
        if asking > 1 and mine >= share and self._in_flight.total() >= self._room:
            return False
        self._in_flight[tenant] += 1
        return True

    def leave(self, tenant: str) -> None:
        """A request that came in has ended."""
        self._in_flight[tenant] -= 1

    def _asking(self, now: float) -> int:
        """Tenants that have requests in flight or came lately; the others are forgotten."""
        for tenant, since in list(self._asked.items()):
            if now - since > RECENT and not self._in_flight[tenant]:
                del self._asked[tenant], self._in_flight[tenant]
        return len(self._asked)
