"""A gateway that reaches engines through a proxy: a dead engine is a reset there, as dead as one that refuses."""

from __future__ import annotations

import asyncio
import socket
import struct

import aiohttp
import pytest

from refplatform.gateway import health

RESET = struct.pack("ii", 1, 0)


class Behind(asyncio.Protocol):
    """Resets, hangs up, or answers with a status."""

    def __init__(self, does):
        self.does = does

    def connection_made(self, transport):
        self.transport = transport
        if self.does == "resets":
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            transport.abort()

    def data_received(self, data):
        if self.does == "hangs up":
            self.transport.close()
        else:
            self.transport.write(f"HTTP/1.1 {self.does} X\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("does", "good", "dead"),
    [("200", True, False), ("503", False, False), ("hangs up", False, False), ("resets", False, True)],
)
def test_only_a_reset_and_a_refusal_say_that_nobody_is_there(does, good, dead):
    async def ask():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Behind(does), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            asked = await health._ask(session, f"http://127.0.0.1:{port}")
            server.close()
            return asked, await health._ask(session, "http://127.0.0.1:1")

    assert asyncio.run(ask()) == ((good, dead), (False, True))
