"""The engines as one gateway sees them: who is ready, who has least in flight, who has stopped making progress.

No IO and no clock: times are seconds of the caller's steady clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

GOOD_PROBES: Final = 2
"""Good probes in a row that bring an ejected engine back."""

BAD_PROBES: Final = 2
"""Timed out or wrong probes in a row that eject; a refused connection ejects at once."""


class Watcher(Protocol):
    """Who wants to know of ejections and readmissions."""

    def ready(self, engine: Engine) -> None:
        """An engine's readiness changed."""

    def ejected(self, engine: Engine, reason: str) -> None:
        """An engine was taken out."""


@dataclass(slots=True, eq=False, kw_only=True)
class Flight:
    """One request at one engine. `interrupt` ends its wait with a reason; `sending` while the client holds it up."""

    streaming: bool
    interrupt: Callable[[str], None]
    sending: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Engine:
    """One engine: its address, its readiness, its flights, and when it last gave a byte or a good probe."""

    url: str
    ready: bool = False
    known: bool = False
    good: int = 0
    bad: int = 0
    last_byte: float = 0.0
    last_probe: float = 0.0
    flights: set[Flight] = field(default_factory=set)

    def board(self, flight: Flight, now: float) -> None:
        """Count a request in; an engine that was idle owes its first byte from now on."""
        if all(other.sending for other in self.flights):
            self.last_byte = now
        self.flights.add(flight)

    def stalled(self, now: float, limit: float) -> bool:
        """Whether it owes bytes and has given none for `limit` seconds.

        An answer that is not streamed shows nothing until it is whole, so there good probes count as progress.
        """
        waiting = [flight for flight in self.flights if not flight.sending]
        if any(flight.streaming for flight in waiting) and now - self.last_byte > limit:
            return True
        return bool(waiting) and now - max(self.last_byte, self.last_probe) > limit


class Pool:
    """All engines; with `failover` off it is a plain wheel over all of them and nothing is ever ejected."""

    def __init__(self, urls: tuple[str, ...], *, failover: bool, watcher: Watcher, offset: int = 0) -> None:
        self.engines = tuple(Engine(url=url, ready=not failover) for url in urls)
        self.failover = failover
        self._watcher = watcher
        self._turn = offset
        for engine in self.engines:
            watcher.ready(engine)

    def pick(self, excluded: Collection[Engine] = ()) -> Engine | None:
        """The next engine: least in flight of the ready ones (equals take turns), or the next of the wheel."""
        if not excluded:  # a retry does not move the wheel, or two engines would no longer take turns
            self._turn = (self._turn + 1) % len(self.engines)
        order = self.engines[self._turn :] + self.engines[: self._turn]
        able = [engine for engine in order if engine.ready and engine not in excluded]
        if not self.failover:
            return able[0] if able else None
        return min(able, key=lambda engine: len(engine.flights), default=None)

    def probed(self, engine: Engine, now: float, *, good: bool, refused: bool = False) -> None:
        """Take in a probe's result; the first good one of an engine never seen before is enough."""
        engine.good, engine.bad = (engine.good + 1, 0) if good else (0, engine.bad + 1)
        if good:
            engine.last_probe = now
        if good and not engine.ready and (engine.good >= GOOD_PROBES or not engine.known):
            engine.ready = engine.known = True
            self._watcher.ready(engine)
        elif engine.ready and (refused or engine.bad >= BAD_PROBES):
            self.eject(engine, "probe")

    def eject(self, engine: Engine, reason: str) -> None:
        """Take an engine out until its probes are good again; nothing happens when it is out, or without failover."""
        if not self.failover or not engine.ready:
            return
        engine.ready, engine.good = False, 0
        self._watcher.ejected(engine, reason)
        self._watcher.ready(engine)

    def end_stalled(self, now: float, limit: float) -> None:
        """Eject each engine that owes bytes for longer than `limit` seconds, and end its flights."""
        for engine in self.engines:
            if engine.stalled(now, limit):
                self.eject(engine, "stall")
                for flight in tuple(engine.flights):
                    flight.interrupt("stall")

    def forgive(self, now: float) -> None:
        """Start all waiting anew: the gateway itself was not running, so it cannot know who was silent."""
        for engine in self.engines:
            engine.last_byte = engine.last_probe = now
