"""The least of an HTTP/1.1 server that the API needs, on the loop that also carries the proxied bytes."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from holdfast.proxy.api import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.proxy.api import Answer, Api

_HEAD: Final = b"\r\n\r\n"
_LARGEST: Final = 2**20


async def listen(api: Api, host: str, port: int) -> asyncio.Server:
    """Serve the API there. Raises OSError when the port is taken."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            while await _one(api, reader, writer):
                pass
        writer.close()

    return await asyncio.start_server(serve, host, port)


async def _one(api: Api, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """One request; whether another may follow."""
    lines = (await reader.readuntil(_HEAD)).decode("latin-1").split("\r\n")
    method, target, version = lines[0].split(" ")
    fields = (line.partition(":") for line in lines[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    body = await reader.readexactly(min(int(headers.get("content-length", "0")), _LARGEST))
    answer = await api.answer(method, target, body, headers.get("user-agent", ""))
    keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    writer.write(_answered(answer, keep=keep))
    await writer.drain()
    return keep


def _answered(answer: Answer, *, keep: bool) -> bytes:
    body, kind = encoded(answer)
    fields: Mapping[str, str] = {
        **({"Content-Type": kind} if kind else {}),
        **({} if answer.status == HTTPStatus.NO_CONTENT else {"Content-Length": str(len(body))}),
        **({} if keep else {"Connection": "close"}),
    }
    head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    return (head + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode() + body
