"""One client: asks for a streamed answer over a connection of its own, and counts what becomes of it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PATH: Final = "/v1/chat/completions"
MOST_OPEN: Final = 256
"""Connections at a time; who comes then is turned away here."""
_SMALL: Final = 2048
"""Bytes of a receive buffer: the least that the kernel grants."""
_TOKEN: Final = b'"content":'
_DONE: Final = b"[DONE]"
_TOO_MANY: Final = 429
_DENIED: Final = 401


class Clients:
    """All of them, and their sums: asked, answered, refused (429), denied (401), rejected, failed, left, retried, held.

    `bytes` is what they read, `open` how many connections there are now.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._key = parts.hostname or "", parts.port or 80, key
        self.counts: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def counted(self) -> dict[str, int]:
        """The sums."""
        return {**self.counts, "open": self.counts["connected"] - self.counts["closed"]}

    def come(self, client: Coroutine[None, None, None]) -> None:
        """One more client, unless there are too many."""
        if len(self._tasks) >= MOST_OPEN:
            self.counts["held"] += 1
            client.close()
            return
        task = asyncio.get_running_loop().create_task(client)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ask(
        self,
        prompt: str,
        *,
        tokens: int,
        model: str,
        leave_after: int | None = None,
        pace: float | None = None,
        small: bool = False,
    ) -> bool:
        """Ask once; whether the whole answer came. Leaves after so many tokens; reads `pace` bytes a second."""
        self.counts["asked"] += 1
        try:
            reader, writer = await self._connect(small=small)
        except OSError:
            self.counts["failed"] += 1
            return False
        self.counts["connected"] += 1
        try:
            writer.write(self._request(prompt, tokens, model))
            await writer.drain()
            end = await self._answer(reader, leave_after, pace)
        except OSError:
            end = "failed"
        except asyncio.CancelledError:
            self.counts["left"] += 1
            raise
        finally:
            self.counts["closed"] += 1
            writer.transport.abort()  # gone at once, as a client that was killed
        self.counts[end] += 1
        return end == "answered"

    async def every(self, rate: float, client: Callable[[], Coroutine[None, None, None]]) -> None:
        """`rate` new clients a second, for ever, whatever becomes of those before."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self.come(client())
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _connect(self, *, small: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop, own = asyncio.get_running_loop(), socket.socket()
        own.setblocking(False)
        if small:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        try:
            await loop.sock_connect(own, (self._host, self._port))
            return await asyncio.open_connection(sock=own, limit=_SMALL if small else 2**16)
        except BaseException:
            own.close()
            raise

    def _request(self, prompt: str, tokens: int, model: str) -> bytes:
        messages = [{"role": "user", "content": prompt}]
        asked = {"model": model, "messages": messages, "max_tokens": tokens, "stream": True}
        body = json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass")
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body

    async def _answer(self, reader: asyncio.StreamReader, leave_after: int | None, pace: float | None) -> str:
        """How it ended."""
        line = await reader.readline()
        status = int(line.split()[1]) if line.count(b" ") >= 2 else 0  # noqa: PLR2004 - HTTP/1.1 200 OK
        if status != 200:  # noqa: PLR2004
            named = {_TOO_MANY: "refused", _DENIED: "denied", 0: "failed"}
            return named.get(status, "rejected" if status < 500 else "failed")  # noqa: PLR2004
        tokens, last = 0, b""
        while chunk := await reader.read(1 if pace else 2**16):
            self.counts["bytes"] += len(chunk)
            tokens += (last + chunk).count(_TOKEN) - last.count(_TOKEN)
            last = (last + chunk)[-len(_TOKEN) :]
            if leave_after is not None and tokens > leave_after:
                return "left"
            if pace:
                await asyncio.sleep(1 / pace)
        return "answered" if tokens else "failed"
