"""The process: reads its crowd from stdin, lets go of whoever started it, and misbehaves until its lease is over."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import socket
import sys
from typing import TYPE_CHECKING

from holdfast.load.rogue import Crowd, address, manners
from holdfast.load.rogue.client import Clients

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter


class Lease:
    """Until when it may go on, by the loop's clock."""

    def __init__(self, seconds: float) -> None:
        self.over = asyncio.Event()
        self._timer = self._in(seconds)

    def renew(self, seconds: float) -> None:
        """So long from now; a lease that is over stays so."""
        self._timer.cancel()
        self._timer = self._in(seconds)

    def _in(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self.over.set)


def main() -> None:
    """Start once; the parent returns when the name is taken, so that whoever asks next is answered."""
    crowd = Crowd(**json.load(sys.stdin))
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.bind(address(crowd.name))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return  # it runs already
        raise
    door.listen()
    if os.fork():
        os._exit(0)
    _let_go()
    asyncio.run(_serve(crowd, door))


def _let_go() -> None:
    os.setsid()
    os.nice(10)  # the clients that are measured come first
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


async def _serve(crowd: Crowd, door: socket.socket) -> None:
    clients, lease = Clients(crowd.url, crowd.key), Lease(crowd.lease)

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        word, _, seconds = (await reader.readline()).decode().strip().partition(" ")
        if word == "renew":
            lease.renew(float(seconds))
        writer.write(json.dumps(clients.counted()).encode() + b"\n")
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()
        if word == "end":
            lease.over.set()

    await asyncio.start_unix_server(answer, sock=door)
    manner = asyncio.create_task(getattr(manners, crowd.manner)(clients, **crowd.options))
    await lease.over.wait()
    manner.cancel()
    os._exit(0)  # the kernel closes every connection, also those that wait for nobody


if __name__ == "__main__":
    main()
