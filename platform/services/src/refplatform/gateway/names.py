"""Addresses of engines by name: kept as long as they hold, and for longer when nobody can say a newer one (RFC 8767).

That a name does not exist is an answer: its address is forgotten. That a server fails, or is silent, is none.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from aiohttp.abc import AbstractResolver, ResolveResult

from refplatform.gateway import dns

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

PATIENCE_SECONDS: Final = 0.25
"""After this an older address is given (the client response timer; RFC 8767 has 1.8 s for servers far away)."""
AGAIN_SECONDS: Final = 1.0
"""A server that could not answer is not asked for that name again for so long (the failure recheck timer)."""
MOST_STALE_SECONDS: Final = 86_400.0
"""An address is never older than this: RFC 8767 suggests one to three days."""
LOOKUPS: Final = ("answered", "withdrawn", "failed", "silent")
"""What came of a question: an address, none, an error, nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Addresses of a name: when they were told, until when they hold, until when nobody is asked again."""

    addresses: tuple[str, ...]
    told: float
    holds_until: float
    rests_until: float = 0.0

    def usable(self, now: float) -> bool:
        """Whether they may be used without asking."""
        return now < max(self.holds_until, self.rests_until)


def settle(before: Known | None, answer: dns.Answer | None, now: float) -> tuple[Known | None, str]:
    """What is known after an answer (None: there was none that could be read), and what to call it."""
    if answer is not None and answer.code == dns.NOERROR and answer.addresses:
        return Known(addresses=answer.addresses, told=now, holds_until=now + answer.ttl), "answered"
    if answer is not None and answer.code in (dns.NOERROR, dns.NXDOMAIN):
        return None, "withdrawn"
    why = "silent" if answer is None else "failed"
    if before is None or now - before.told > MOST_STALE_SECONDS:
        return None, why
    return Known(
        addresses=before.addresses,
        told=before.told,
        holds_until=before.holds_until,
        rests_until=now + AGAIN_SECONDS,
    ), why


class Names(AbstractResolver):
    """Asks one name server, HOST:PORT, by UDP; `watch` is told of each question's name, outcome and staleness."""

    def __init__(
        self,
        server: tuple[str, int],
        watch: Callable[[str, str, bool], None],
        *,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self._server, self._watch, self._clock, self._random = server, watch, clock, random
        self._known: dict[str, Known] = {}
        self._asking: dict[str, asyncio.Task[Known | None]] = {}
        self._asker: _Asker | None = None

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - there is only IPv4 here
    ) -> list[ResolveResult]:
        """The addresses. Raises OSError when nobody knows one."""
        known = self._known.get(host)
        if known is None or not known.usable(self._clock()):
            known = await self._refreshed(host)
        if known is None:
            raise OSError(None, f"nobody knows the address of {host}")
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=flags)
            for one in known.addresses
        ]

    async def close(self) -> None:
        """Ask no more."""
        if self._asker is not None:
            self._asker.close()

    async def _refreshed(self, host: str) -> Known | None:
        """Many who wait for one name ask once; that one of them leaves does not end the question."""
        if host not in self._asking:
            task = self._asking[host] = asyncio.get_running_loop().create_task(self._refresh(host))
            task.add_done_callback(lambda _: self._asking.pop(host, None))
        return await asyncio.shield(self._asking[host])

    async def _refresh(self, host: str) -> Known | None:
        answer = await self._answer(host)
        known, outcome = settle(self._known.get(host), answer, self._clock())
        self._known.pop(host, None)
        if known is not None:
            self._known[host] = known
        self._watch(host, outcome, known is not None and outcome != "answered")
        return known

    async def _answer(self, host: str) -> dns.Answer | None:
        try:
            if self._asker is None or self._asker.closed:
                self._asker = await _Asker.connect(self._server)
            return await self._asker.ask(dns.question(self._random.randrange(2**16), host), PATIENCE_SECONDS)
        except (OSError, ValueError):
            return None


class _Asker(asyncio.DatagramProtocol):
    """One socket towards one server. An answer to a question that nobody waits for is dropped."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[dns.Answer | None]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def connect(cls, server: tuple[str, int]) -> _Asker:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        _, made = await loop.create_datagram_endpoint(cls, remote_addr=server)
        return made

    @property
    def closed(self) -> bool:
        """Whether another one is needed."""
        return self._transport is None or self._transport.is_closing()

    async def ask(self, question: bytes, seconds: float) -> dns.Answer | None:
        """None when there is no answer in time, or the kernel says that nobody is there."""
        future: asyncio.Future[dns.Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting[question] = future
        cast("asyncio.DatagramTransport", self._transport).sendto(question)
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(question, None)

    def close(self) -> None:
        """Nobody waits any longer."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It may send."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket hears one server
        """To whoever asked just this."""
        for question, future in self._waiting.items():
            try:
                answer = dns.read(data, question)
            except dns.AnswerError:
                continue
            if not future.done():
                future.set_result(answer)

    def error_received(self, error: Exception) -> None:  # noqa: ARG002 - refused: nobody listens there
        """All who wait need not."""
        self._end()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the same
        """The same."""
        self._end()

    def _end(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_result(None)
