"""One direction of one connection: bytes go at once, or through a hold for each toxic, where they wait until due."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from holdfast.proxy.toxics.base import NEVER, Ending, Piece, Stage

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable
    from random import Random

    from holdfast.proxy.answers.toxic import Picks
    from holdfast.proxy.toxics.base import Toxic

UPSTREAM: Final = "upstream"
DOWNSTREAM: Final = "downstream"


@dataclass(frozen=True, slots=True)
class World:
    """What lanes take from outside; `clock` is steady seconds, `domain` where the names of proxies are told."""

    loop: asyncio.AbstractEventLoop
    clock: Callable[[], float]
    random: Random
    domain: str = ""


@dataclass(slots=True, eq=False, kw_only=True)
class Active:
    """One toxic of one proxy. `cuts` counts the connections that it really ended."""

    name: str
    type: str
    stream: str
    toxicity: float
    toxic: Toxic
    cuts: int = 0
    picks: Picks | None = None
    """Of a toxic that touches answers: such a one works on both lanes of a connection."""

    def stage(self, random: Random) -> Stage:
        """Drawn for each connection: the toxic's own stage, or one that changes nothing."""
        return self.toxic.stage(random) if random.random() < self.toxicity else Stage()


@dataclass(slots=True)
class Tally:
    """Bytes of one direction, of all connections of a proxy."""

    received: int = 0
    sent: int = 0


class Ends(Protocol):
    """What a lane runs between, and what it may do to them."""

    def write(self, lane: Lane, data: bytes) -> None:
        """To the far end."""

    def finish(self, lane: Lane, ending: Ending) -> None:
        """End one direction (EOF) or the whole connection."""

    def hold_back(self, lane: Lane, *, on: bool) -> None:
        """Whether the sender is to wait."""


@dataclass(slots=True, eq=False)
class Lane:
    """`waiting` is bytes in all holds."""

    stream: str
    ends: Ends
    tally: Tally
    world: World
    holds: list[Hold] = field(default_factory=list)
    waiting: int = 0
    held_back: bool = False

    def came(self, data: bytes) -> None:
        """From the sender."""
        self.tally.received += len(data)
        if not self.holds:
            self.tally.sent += len(data)
            self.ends.write(self, data)
            return
        self.holds[0].take(data)
        self._balance()

    def ended(self, ending: Ending) -> None:
        """The sender ended, after all that it sent before."""
        if self.holds:
            self.holds[0].take(ending)
        else:
            self.ends.finish(self, ending)

    def add(self, active: Active) -> None:
        """A toxic joins at the end; what already waits is before it."""
        self.holds.append(Hold(self, active))

    def join(self, active: Active, stage: Stage, *, first: bool) -> Hold:
        """Half of a toxic that works on both lanes; on one of them `first`, so that two enclose each other."""
        hold = Hold(self, active, stage)
        self.holds.insert(0 if first else len(self.holds), hold)
        return hold

    def change(self, active: Active) -> None:
        """A toxic has other settings."""
        for hold in [one for one in self.holds if one.active is active]:
            hold.renew()
        self._balance()

    def remove(self, active: Active) -> None:
        """A toxic is gone: what waited for it goes on."""
        for hold in [one for one in self.holds if one.active is active]:
            hold.release()
            self.holds.remove(hold)
        self._balance()

    def stop(self) -> None:
        """The connection is over."""
        for hold in self.holds:
            hold.cancel()

    def on(self, hold: Hold, what: bytes | Ending) -> None:
        """What a hold lets go: to the next hold, or out."""
        place = self.holds.index(hold) + 1
        if place < len(self.holds):
            self.holds[place].take(what)
        elif isinstance(what, Ending):
            self.ends.finish(self, what)
        else:
            self.tally.sent += len(what)
            self.ends.write(self, what)

    def moved(self, size: int) -> None:
        """So many bytes wait more, or less."""
        self.waiting += size
        if size < 0:
            self._balance()

    def _balance(self) -> None:
        room = max((one.stage.room for one in self.holds), default=0)
        full = self.waiting > room
        if full is not self.held_back:
            self.held_back = full
            self.ends.hold_back(self, on=full)


class Hold:
    """Where one toxic works on one lane."""

    def __init__(self, lane: Lane, active: Active, stage: Stage | None = None) -> None:
        self.lane, self.active, self._own = lane, active, stage
        self._queue: deque[Piece] = deque()
        self._timer: asyncio.Handle | None = None
        self._alarm: asyncio.Handle | None = None
        self._end: Ending | None = None
        self._begin()

    def take(self, what: bytes | Ending) -> None:
        """From the sender's side."""
        now = self.lane.world.clock()
        if not isinstance(what, Ending):
            pieces = self.stage.take(what, now)
        else:
            self._end = what
            pieces = self.stage.end(now) if what is Ending.EOF else (Piece(now, what),)
        self.give(pieces)

    def give(self, pieces: Iterable[Piece]) -> None:
        """To the receiver's side, each when it is due."""
        for piece in pieces:
            self._queue.append(piece)
            self.lane.moved(_size(piece))
        self._pump()

    def renew(self) -> None:
        """Begin anew with other settings: bytes that wait go on, an end that waits is asked for again."""
        before, end = self.stage, self._end
        self.flush()
        self._begin()
        self.stage.follow(before)
        if end is not None:
            self.take(end)

    def release(self) -> None:
        """Let go of everything; where bytes were lost, the connection is closed."""
        spoilt, end = self.stage.spoilt, self._end
        self.flush()
        if rest := self.stage.rest():
            self._let(rest)
        if spoilt:
            self._let(Ending.CLOSE)
        elif end is not None:
            self._let(end)

    def cancel(self) -> None:
        """No more timers."""
        for handle in (self._timer, self._alarm):
            if handle is not None:
                handle.cancel()
        self._timer = self._alarm = None
        self._queue.clear()

    def _begin(self) -> None:
        self.stage = self._own or self.active.stage(self.lane.world.random)
        self._end = None
        alarm = self.stage.alarm(self.lane.world.clock())
        if alarm is not None:
            self._alarm = self._at(alarm.due, lambda: self._ring(alarm))

    def _ring(self, alarm: Piece) -> None:
        if alarm.due > self.lane.world.clock():  # the loop's own clock is coarser, and may be early
            self._alarm = self._at(alarm.due, lambda: self._ring(alarm))
            return
        self._alarm = None
        self._let(alarm.what)

    def flush(self) -> None:
        """Let go now of all that waits."""
        waiting = list(self._queue)
        self.cancel()
        for piece in waiting:
            self.lane.moved(-_size(piece))
            if not isinstance(piece.what, Ending):
                self._let(piece.what)

    def _pump(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self.lane.world.clock()
        while self._queue and self._queue[0].due <= now:
            piece = self._queue.popleft()
            self._let(piece.what)
            self.lane.moved(-_size(piece))
        if self._queue and self._queue[0].due < NEVER:
            self._timer = self._at(self._queue[0].due, self._pump)

    def _let(self, what: bytes | Ending) -> None:
        if isinstance(what, Ending) and what is not Ending.EOF and self._end is not what:
            self.active.cuts += 1
        self.lane.on(self, what)

    def _at(self, due: float, call: Callable[[], None]) -> asyncio.Handle:
        world = self.lane.world
        return world.loop.call_later(max(0.0, due - world.clock()), call)


def _size(piece: Piece) -> int:
    return 0 if isinstance(piece.what, Ending) else len(piece.what)
