"""Named proxies, their toxics and their leases: what the API changes, and what connections pass through."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import HoldfastError
from holdfast.proxy import tls
from holdfast.proxy.connection import Connection, Side
from holdfast.proxy.lane import DOWNSTREAM, UPSTREAM, Active, Tally, World
from holdfast.proxy.toxics.certificate import Certificate
from holdfast.proxy.toxics.name import Name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_BACKLOG: Final = 1024
_AGAIN: Final = 0.5


class NoListenerError(HoldfastError):
    """A proxy could not listen where it was told to."""


@dataclass(slots=True)
class Lease:
    """An end that comes by itself: `until` is a second of the proxy's clock."""

    until: float
    timer: asyncio.TimerHandle


@dataclass(slots=True, eq=False)
class Proxy:
    """One way: who connects to `listen` reaches `upstream`. `downs` holds who switched it off, "" for anybody."""

    name: str
    listen: str
    upstream: str
    world: World
    toxics: dict[str, Active] = field(default_factory=dict)
    downs: dict[str, str] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=lambda: {UPSTREAM: Tally(), DOWNSTREAM: Tally()})
    connections: set[Connection] = field(default_factory=set)
    accepted: int = 0
    refused: int = 0
    past: Counter[str] = field(default_factory=Counter)
    """Answers that toxics struck which are gone by now, by type."""
    _leases: dict[tuple[str, str], Lease] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _removed: bool = False
    certificates: Mapping[str, Path] | None = None
    """What it may show to those who connect, by name; None: it speaks no TLS."""

    @property
    def shown(self) -> str:
        """The certificate to be shown now."""
        found = (one.toxic.shown for one in self.toxics.values() if isinstance(one.toxic, Certificate))
        return next(found, tls.GOOD)

    @property
    def resolution(self) -> str:
        """What is said to those who ask for its address; empty: the address."""
        return next((one.toxic.answer for one in self.toxics.values() if isinstance(one.toxic, Name)), "")

    @property
    def enabled(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def start(self) -> None:
        """Listen. Raises NoListenerError when that cannot be had."""
        if self._server is not None:
            return
        try:
            sock = socket.create_server(address(self.listen), backlog=_BACKLOG)
        except (OSError, OverflowError) as error:
            raise NoListenerError(f"listen tcp {self.listen}: {error}") from error
        host, port = sock.getsockname()[:2]
        self.listen = f"{host}:{port}"
        secured = tls.context(self.certificates, lambda: self.shown) if self.certificates else None
        self._server = await self.world.loop.create_server(self._accept, sock=sock, backlog=_BACKLOG, ssl=secured)

    async def stop(self) -> None:
        """Listen no more, and drop every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in tuple(self.connections):
            connection.stop(reset=False)
        await asyncio.sleep(0)

    async def down(self, by: str, lease: float | None) -> None:
        """Switched off by somebody, for `lease` seconds or until told."""
        self.downs[by] = by
        self.lease_of_down(by, lease)
        await self.stop()

    async def up(self, by: str) -> None:
        """No longer switched off by them; "" speaks for everybody. Listens when nobody is left."""
        for one in [by] if by else list(self.downs):
            self.downs.pop(one, None)
            self.unlease(("down", one))
        if not self.downs:
            await self.start()

    def add(self, active: Active, lease: float | None) -> None:
        """A toxic more, on live connections too."""
        self.toxics[active.name] = active
        for connection in () if active.toxic.passive else self.connections:
            connection.add(active)
        self.lease_of(active, lease)

    def change(self, active: Active) -> None:
        """A toxic with other settings."""
        for connection in tuple(self.connections):
            connection.change(active)

    def remove(self, name: str) -> bool:
        """A toxic less; whether there was one."""
        active = self.toxics.pop(name, None)
        self.unlease(("toxic", name))
        if active is None:
            return False
        self.past += struck((active,))
        for connection in tuple(self.connections):
            connection.remove(active)
        return True

    def lease_of(self, active: Active, lease: float | None) -> None:
        """A toxic ends by itself after so many seconds from now; None leaves its end as it is."""
        self.lease(("toxic", active.name), lease, lambda: self.remove(active.name))

    def lease_of_down(self, by: str, lease: float | None) -> None:
        """What somebody switched off comes back by itself after so many seconds from now."""
        self.lease(("down", by), lease, lambda: self._start_coming_back(by))

    def _start_coming_back(self, by: str) -> None:
        task = self.world.loop.create_task(self._come_back(by))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _come_back(self, by: str) -> None:
        """Somebody else may have taken the port meanwhile: then when they let go of it."""
        while not self._removed:
            try:
                await self.up(by)
            except NoListenerError:
                await asyncio.sleep(_AGAIN)
            else:
                return

    def lease(self, key: tuple[str, str], lease: float | None, then: Callable[[], object]) -> None:
        """Set or put off an end."""
        if lease is None:
            return
        self.unlease(key)
        timer = self.world.loop.call_later(lease, then)
        self._leases[key] = Lease(self.world.clock() + lease, timer)

    def unlease(self, key: tuple[str, str]) -> None:
        """No end by itself."""
        if lease := self._leases.pop(key, None):
            lease.timer.cancel()

    def left(self, key: tuple[str, str]) -> dict[str, float]:
        """Seconds until an end comes by itself; empty when none does."""
        lease = self._leases.get(key)
        return {"lease": round(max(0.0, lease.until - self.world.clock()), 3)} if lease else {}

    def struck(self) -> Counter[str]:
        """Answers that toxics had something done to, by type, ever."""
        return self.past + struck(self.toxics.values())

    def ordered(self) -> tuple[Active, ...]:
        """Toxics in the order in which the API tells them: upstream first."""
        return tuple(one for stream in (UPSTREAM, DOWNSTREAM) for one in self.toxics.values() if one.stream == stream)

    async def end(self) -> None:
        """Gone for good."""
        self._removed = True
        for key in list(self._leases):
            self.unlease(key)
        await self.stop()

    def _accept(self) -> Side:
        return Connection(
            address(self.upstream),
            self.tallies,
            self.world,
            began=self._began,
            over=self.connections.discard,
            refused=self._was_refused,
        ).client

    def _began(self, connection: Connection) -> None:
        self.accepted += 1
        self.connections.add(connection)
        for active in self.ordered():
            if not active.toxic.passive:
                connection.add(active)

    def _was_refused(self) -> None:
        self.refused += 1


def struck(toxics: Iterable[Active]) -> Counter[str]:
    """Answers that these struck, by type."""
    return sum((Counter({one.type: one.picks.struck}) for one in toxics if one.picks), Counter())


def shown(active: Active, proxy: Proxy) -> dict[str, Any]:
    """A toxic as the API tells it."""
    return {
        "attributes": active.toxic.model_dump(),
        "name": active.name,
        "type": active.type,
        "stream": active.stream,
        "toxicity": active.toxicity,
        **(active.picks.told() if active.picks else {}),
        **proxy.left(("toxic", active.name)),
    }


def address(text: str) -> tuple[str, int]:
    """Host and port of "host:port"; no host is this machine. Raises NoListenerError for anything else."""
    host, _, port = text.rpartition(":")
    if text and not port.isdigit():
        raise NoListenerError(f"address {text}: missing or wrong port")
    return host.strip("[]") or "127.0.0.1", int(port or 0)
