"""The authority for names of proxies: NAME.DOMAIN is where the proxy NAME listens, unless a toxic says otherwise."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from holdfast.proxy import dns
from holdfast.proxy.dns import Rcode
from holdfast.proxy.proxies import address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.proxy.dns import Question
    from holdfast.proxy.proxies import Proxy

TTL: Final = 1
"""Seconds for which an address may be kept without asking again."""
SILENCE: Final = "silence"
_FAILURES: Final = {"nxdomain": Rcode.NXDOMAIN, "servfail": Rcode.SERVFAIL}


class Names(asyncio.DatagramProtocol):
    """Answers questions that come by UDP; what is no question is dropped."""

    def __init__(self, domain: str, proxies: Mapping[str, Proxy]) -> None:
        self._domain, self._proxies = domain.lower(), proxies
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It listens."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One question."""
        reply = respond(data, self._domain, self._look)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)

    def _look(self, name: str) -> tuple[str, str]:
        proxy = self._proxies.get(name)
        return ("", "") if proxy is None else (address(proxy.listen)[0], proxy.resolution)


def respond(data: bytes, domain: str, look: Callable[[str], tuple[str, str]]) -> bytes | None:
    """The answer to what came, None for none. `look` gives a name's address and what is said instead, both or empty."""
    try:
        question = dns.read(data)
    except dns.FormatError:
        return _misread(data)
    name = question.name.lower()
    if question.opcode:
        return dns.answered(question, Rcode.NOTIMP)
    if question.space != dns.INTERNET or domain not in (name, name.partition(".")[2]):
        return dns.answered(question, Rcode.REFUSED)
    if name == domain:
        return dns.answered(question, Rcode.NOERROR)  # it is there, and has no address
    where, instead = look(name.partition(".")[0])
    return _of_host(question, where, instead)


def _of_host(question: Question, where: str, instead: str) -> bytes | None:
    if instead == SILENCE:
        return None
    if instead or not where:
        return dns.answered(question, _FAILURES.get(instead, Rcode.NXDOMAIN))
    if question.kind != dns.ADDRESS:
        return dns.answered(question, Rcode.NOERROR)
    return dns.answered(question, Rcode.NOERROR, where, TTL)


def _misread(data: bytes) -> bytes | None:
    try:
        return dns.misread(data)
    except dns.FormatError:
        return None


async def listen(domain: str, proxies: Mapping[str, Proxy], host: str, port: int) -> asyncio.BaseTransport:
    """Answer there. Raises OSError when the port is taken."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Names(domain, proxies), local_addr=(host, port))
    return transport
