"""The engines as one gateway sees them: who is ready, who has least in flight, who has stopped making progress.

No IO and no clock: times are seconds of the caller's steady clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

GOOD_PROBES: Final = 2
"""Good probes in a row that bring an ejected engine back."""

BAD_PROBES: Final = 2
"""Timed out or wrong probes in a row that eject; a refused connection ejects at once."""


CERTIFICATE: Final = "certificate"
"""Why an engine is out whose certificate is refused."""

MOST_REFUSALS: Final = 3
"""Requests in a row that did not end well and open an engine's circuit."""

FIRST_REST, LONGEST_REST = 1.0, 8.0
"""Seconds for which an open circuit lets no request through: doubled with each trial that fails."""

AT_ONCE: Final = 0.5
"""Seconds within which connections to one engine break together: a network that resets them all says one thing."""

LONGEST_WISH: Final = 30.0
"""Seconds for which an engine that asks for it (Retry-After) is left alone at most."""


class Watcher(Protocol):
    """Who wants to know of ejections and readmissions."""

    def ready(self, engine: Engine) -> None:
        """An engine's readiness changed."""

    def ejected(self, engine: Engine, reason: str) -> None:
        """An engine was taken out."""

    def distrusted(self, engine: Engine) -> None:
        """Why an engine's certificate is refused changed; empty: it is believed."""


@dataclass(slots=True, eq=False, kw_only=True)
class Flight:
    """One request at one engine. `interrupt` ends its wait with a reason; `sending` while the client holds it up.

    `last` is when it began, or when the client last got something of it.
    """

    streaming: bool
    interrupt: Callable[[str], None]
    sending: bool = False
    last: float = 0.0


@dataclass(slots=True, eq=False, kw_only=True)
class Engine:
    """One engine: its address, its readiness, its flights, and when it last gave a byte or a good probe.

    `refusals` in a row open its circuit: no request until `rests_until`, then one at a time until one ends well.
    `distrust` is why its certificate is refused.
    """

    url: str
    ready: bool = False
    known: bool = False
    good: int = 0
    bad: int = 0
    last_byte: float = 0.0
    last_probe: float = 0.0
    refusals: int = 0
    rests_until: float = 0.0
    last_failure: float = -math.inf
    last_break: float = -math.inf
    distrust: str = ""
    flights: set[Flight] = field(default_factory=set)

    def board(self, flight: Flight, now: float) -> None:
        """Count a request in; an engine that was idle owes its first byte from now on."""
        if all(other.sending for other in self.flights):
            self.last_byte = now
        flight.last = now
        self.flights.add(flight)

    def open_to(self, now: float) -> bool:
        """Whether its circuit lets a request through."""
        return self.rests_until <= now and (self.refusals < MOST_REFUSALS or not self.flights)

    def stalled(self, now: float, limit: float) -> bool:
        """Whether it owes bytes and has given none for `limit` seconds.

        An answer that is not streamed shows nothing until it is whole, so there good probes count as progress; while
        its certificate is refused no probe can tell.
        """
        waiting = [flight for flight in self.flights if not flight.sending]
        if any(flight.streaming for flight in waiting) and now - self.last_byte > limit:
            return True
        return bool(waiting) and not self.distrust and now - max(self.last_byte, self.last_probe) > limit


class Pool:
    """All engines; with `failover` off it is a plain wheel over all of them and nothing is ever ejected."""

    def __init__(self, urls: tuple[str, ...], *, failover: bool, watcher: Watcher, offset: int = 0) -> None:
        self.engines = tuple(Engine(url=url, ready=not failover) for url in urls)
        self.failover = failover
        self._watcher = watcher
        self._turn = offset
        for engine in self.engines:
            watcher.ready(engine)

    def pick(self, excluded: Collection[Engine] = (), now: float = 0.0) -> Engine | None:
        """The next engine: least in flight of the ready ones (equals take turns), or the next of the wheel.

        When every circuit is open, a request that was nowhere yet is still worth a try; a retry is not.
        """
        if not excluded:  # a retry does not move the wheel, or two engines would no longer take turns
            self._turn = (self._turn + 1) % len(self.engines)
        order = self.engines[self._turn :] + self.engines[: self._turn]
        able = [engine for engine in order if engine.ready and engine not in excluded]
        if not self.failover:
            return able[0] if able else None
        closed = [engine for engine in able if engine.open_to(now)]
        if closed or excluded:
            return min(closed, key=lambda engine: len(engine.flights), default=None)
        return min(able, key=lambda engine: engine.rests_until, default=None)

    def served(self, engine: Engine, *, begun: float) -> None:
        """A request ended there as it should. One that was under way when another failed says nothing of now."""
        if begun >= max(engine.rests_until, engine.last_failure):
            engine.refusals, engine.rests_until = 0, 0.0

    def failed(
        self, engine: Engine, now: float, *, begun: float, wait: float | None = None, grave: bool = False
    ) -> None:
        """One did not; `wait` is how long the engine asked to be left alone, `grave` is as bad as many.

        Nor is one that was under way when the circuit opened a reason to keep it open for longer.
        """
        if not self.failover or begun < engine.rests_until:
            return
        engine.last_failure = now
        engine.refusals = max(engine.refusals + 1, MOST_REFUSALS if grave else 0)
        if wait is not None:
            engine.rests_until = now + min(wait, LONGEST_WISH)
        elif engine.refusals >= MOST_REFUSALS:
            engine.rests_until = now + min(FIRST_REST * 2 ** (engine.refusals - MOST_REFUSALS), LONGEST_REST)
            self._watcher.ejected(engine, "circuit")

    def broke(self, engine: Engine, now: float) -> None:
        """A connection to it broke; all that break at one moment are one failure."""
        if now - engine.last_break > AT_ONCE:
            self.failed(engine, now, begun=now)
        engine.last_break = now

    def probed(self, engine: Engine, now: float, *, good: bool, refused: bool = False) -> None:
        """Take in a probe's result; the first good one of an engine never seen before is enough."""
        engine.good, engine.bad = (engine.good + 1, 0) if good else (0, engine.bad + 1)
        if good:
            engine.last_probe = now
            self._believe(engine, "")
        if good and not engine.ready and (engine.good >= GOOD_PROBES or not engine.known):
            engine.ready = engine.known = True
            self._watcher.ready(engine)
        elif engine.ready and (refused or engine.bad >= BAD_PROBES):
            self.eject(engine, "probe")

    def distrusted(self, engine: Engine, why: str) -> None:
        """Its certificate is refused: nothing is sent there until a probe finds one that is not."""
        engine.good, engine.bad = 0, engine.bad + 1
        self._believe(engine, why)
        self.eject(engine, CERTIFICATE)

    def _believe(self, engine: Engine, why: str) -> None:
        if engine.distrust != why:
            engine.distrust = why
            self._watcher.distrusted(engine)

    def eject(self, engine: Engine, reason: str) -> None:
        """Take an engine out until its probes are good again; nothing happens when it is out, or without failover."""
        if not self.failover or not engine.ready:
            return
        engine.ready, engine.good = False, 0
        self._watcher.ejected(engine, reason)
        self._watcher.ready(engine)

    def end_stalled(self, now: float, limit: float) -> None:
        """Eject each engine that owes bytes for longer than `limit` seconds, and end its flights.

        Of an engine that gives to others, end the streams that get nothing: they are stuck, and it is not.
        """
        for engine in self.engines:
            stalled = engine.stalled(now, limit)
            if stalled:
                self.eject(engine, "stall")
            for flight in tuple(engine.flights):
                if stalled or (flight.streaming and not flight.sending and now - flight.last > limit):
                    flight.interrupt("stall" if stalled else "silent")

    def forgive(self, now: float) -> None:
        """Start all waiting anew: the gateway itself was not running, so it cannot know who was silent."""
        for engine in self.engines:
            engine.last_byte = engine.last_probe = now
            for flight in engine.flights:
                flight.last = now
