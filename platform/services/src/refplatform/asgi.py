"""The few ASGI moves that the streaming paths share: read a body, answer JSON, notice that the client has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    Message = MutableMapping[str, Any]
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]
    Headers = Iterable[tuple[bytes, bytes]]

BODY_LIMIT: Final = 8 * 1024 * 1024
"""Bytes; larger request bodies are refused with 413."""

SSE_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class ClientGoneError(Exception):
    """The client closed its connection before the request was complete."""


class BodyTooLargeError(Exception):
    """The request body is larger than BODY_LIMIT."""


async def read_body(receive: Receive) -> bytes:
    """The whole request body. Raises ClientGoneError, BodyTooLargeError."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_LIMIT:
            raise BodyTooLargeError
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


async def until_gone(receive: Receive) -> None:
    """Return when the client closes its connection (or its response is complete)."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def start(send: Send, status: int, headers: Headers) -> None:
    """Send the status line and headers."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def chunk(send: Send, body: bytes) -> None:
    """Send a part of the body, with more to come."""
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def finish(send: Send, body: bytes = b"") -> None:
    """Send the last part of the body."""
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def answer(send: Send, status: int, body: bytes, headers: Headers = ()) -> None:
    """A complete answer with its length."""
    length = (b"content-length", str(len(body)).encode())
    await start(send, status, [length, *headers])
    await finish(send, body)


async def answer_json(send: Send, status: int, value: object, headers: Headers = ()) -> None:
    """A complete JSON answer."""
    await answer(send, status, orjson.dumps(value), [(b"content-type", b"application/json"), *headers])


def error_body(
    message: str, *, kind: str, code: int | str | None, param: str | None = None
) -> dict[str, dict[str, object]]:
    """An error as OpenAI's API shapes it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
