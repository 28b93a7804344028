"""One client's connection and the one made for it towards the upstream; ends are passed on as they came: FIN or RST."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final, cast

from holdfast.proxy.answers.enclosed import Enclosed
from holdfast.proxy.lane import DOWNSTREAM, UPSTREAM, Lane
from holdfast.proxy.toxics.base import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.proxy.lane import Active, Tally, World

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST."""


class Side(asyncio.Protocol):
    """One of the two sockets; what comes from it goes into its lane."""

    def __init__(self, connection: Connection, lane: Lane) -> None:
        self.connection, self.lane = connection, lane
        self.transport: asyncio.Transport | None = None
        self.gone = False
        self._held: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self.transport = cast("asyncio.Transport", transport)
        self.connection.opened(self)

    def data_received(self, data: bytes) -> None:
        """Into the lane."""
        if not self.connection.stopped:
            self.lane.came(data)

    def eof_received(self) -> bool:
        """A half is over; the other goes on, where there are halves: asyncio's TLS has none."""
        self.connection.ended(self, Ending.EOF)
        return self.transport is not None and self.transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        """Both halves are over."""
        self.gone = True
        self.connection.lost(self, Ending.RESET if error else Ending.EOF)

    def pause_writing(self) -> None:
        """It takes no more: who sends to it is to wait."""
        self.connection.other(self).hold_back("sink", on=True)

    def resume_writing(self) -> None:
        """It takes more."""
        self.connection.other(self).hold_back("sink", on=False)

    def hold_back(self, why: str, *, on: bool) -> None:
        """Read no more from it while there is a reason."""
        held = bool(self._held)
        (self._held.add if on else self._held.discard)(why)
        if self.transport is None or self.gone or held is bool(self._held) or self.transport.is_closing():
            return
        (self.transport.pause_reading if self._held else self.transport.resume_reading)()

    def say_no_more(self) -> None:
        """End what is said to it, after what was; all of it, where there are no halves."""
        if self.transport is None or self.transport.is_closing():
            return
        (self.transport.write_eof if self.transport.can_write_eof() else self.transport.close)()

    def close(self) -> None:
        """After what was written to it."""
        if self.transport is not None:
            self.transport.close()

    def abort(self, *, reset: bool) -> None:
        """Now; with `reset` the peer gets RST whatever it had sent."""
        if self.transport is None or self.gone:
            return
        sock = self.transport.get_extra_info("socket")
        if reset and sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()


class Connection:
    """Implements `lane.Ends`."""

    def __init__(
        self,
        upstream: tuple[str, int],
        tallies: Mapping[str, Tally],
        world: World,
        *,
        began: Callable[[Connection], None],
        over: Callable[[Connection], None],
        refused: Callable[[], None],
    ) -> None:
        self.lanes = {stream: Lane(stream, self, tallies[stream], world) for stream in (UPSTREAM, DOWNSTREAM)}
        self.client = Side(self, self.lanes[UPSTREAM])
        self.server = Side(self, self.lanes[DOWNSTREAM])
        self._upstream, self._loop, self._random = upstream, world.loop, world.random
        self._talks: dict[Active, Enclosed] = {}
        self._began, self._over, self._refused = began, over, refused
        self._finished: set[str] = set()
        self.stopped = self._reset = False
        self._opening: asyncio.Task[None] | None = None
        self._early: list[bytes] = []

    def add(self, active: Active) -> None:
        """A toxic more."""
        if active.picks is None:
            self.lanes[active.stream].add(active)
        elif self._random.random() < active.toxicity:
            self._talks[active] = Enclosed(self.lanes, active, active.picks)

    def change(self, active: Active) -> None:
        """A toxic with other settings; one that touches answers looks at them at each request."""
        if active.picks is None:
            self.lanes[active.stream].change(active)

    def remove(self, active: Active) -> None:
        """A toxic less."""
        if active.picks is None:
            self.lanes[active.stream].remove(active)
        elif enclosed := self._talks.pop(active, None):
            enclosed.end(self._loop)

    def other(self, side: Side) -> Side:
        """The far end of a side."""
        return self.server if side is self.client else self.client

    def opened(self, side: Side) -> None:
        """A client came: nothing is read from it until the upstream is there."""
        if side is self.server:
            self._catch_up()
            return
        side.hold_back("connecting", on=True)
        self._began(self)
        self._opening = self._loop.create_task(self._open())

    def _catch_up(self) -> None:
        # A loop may have read a first piece before the pause took hold.
        early, self._early = self._early, []
        for data in early:
            self.write(self.lanes[UPSTREAM], data)
        if UPSTREAM in self._finished:
            self.finish(self.lanes[UPSTREAM], Ending.EOF)

    async def _open(self) -> None:
        try:
            await self._loop.create_connection(lambda: self.server, *self._upstream)
        except OSError:
            # A dead upstream must look dead: to a client that was let in, a reset is the nearest to "refused".
            self._refused()
            self.stop(reset=True)
            return
        if self.stopped:
            self.server.abort(reset=self._reset)
        self.client.hold_back("connecting", on=False)

    def ended(self, side: Side, ending: Ending) -> None:
        """One side has no more to say."""
        if side.lane.stream not in self._finished:
            side.lane.ended(ending)

    def lost(self, side: Side, ending: Ending) -> None:
        """One side is gone altogether."""
        if not self.stopped:
            side.lane.ended(ending)
            self._settle()
        if self.client.gone and (self.server.gone or self.server.transport is None):
            self._end()

    def write(self, lane: Lane, data: bytes) -> None:
        """To the far end, if there still is one."""
        sink = self._sink(lane)
        if sink.transport is None:
            self._early.append(data)
        elif not sink.transport.is_closing():
            sink.transport.write(data)

    def finish(self, lane: Lane, ending: Ending) -> None:
        """End a direction, or everything."""
        if ending is not Ending.EOF:
            self.stop(reset=ending is Ending.RESET, flush=ending is Ending.CLOSE)
            return
        self._finished.add(lane.stream)
        self._sink(lane).say_no_more()
        self._settle()

    def hold_back(self, lane: Lane, *, on: bool) -> None:
        """Whether who feeds this lane is to wait."""
        (self.client if lane.stream == UPSTREAM else self.server).hold_back("room", on=on)

    def stop(self, *, reset: bool, flush: bool = False) -> None:
        """End it from here; `flush` sends first what was let go."""
        self.stopped, self._reset = True, reset
        for lane in self.lanes.values():
            lane.stop()
        for side in (self.client, self.server):
            if flush:
                side.close()
            else:
                side.abort(reset=reset)

    def _settle(self) -> None:
        """Close a side that nobody will speak or listen to any more."""
        if self._finished == set(self.lanes):
            self.stop(reset=False, flush=True)
            return
        for side in (self.client, self.server):
            if side.gone and side.lane.stream in self._finished:
                self.other(side).close()

    def _sink(self, lane: Lane) -> Side:
        return self.server if lane.stream == UPSTREAM else self.client

    def _end(self) -> None:
        self.stopped = True
        for lane in self.lanes.values():
            lane.stop()
        self._over(self)
