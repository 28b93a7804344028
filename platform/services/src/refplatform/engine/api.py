"""The engine's HTTP face: what the scheduler serves by raw ASGI, one write a step; everything else by FastAPI."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from functools import partial
from typing import TYPE_CHECKING, Final

from refplatform import asgi
from refplatform.engine.live import AsleepError, LiveEngine, PausedError
from refplatform.engine.rest import rest
from refplatform.engine.scheduler import QueueFullError
from refplatform.engine.siblings import Siblings
from refplatform.engine.stream import AbortedError, Stream
from refplatform.engine.wire.ask import Answer, Mind, answer
from refplatform.engine.wire.embeddings import read_embedding
from refplatform.engine.wire.errors import BadAskError
from refplatform.engine.wire.events import CutError, Event, Faults, NoFaults, RefusedError, cached_of, events
from refplatform.engine.wire.frames import Frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from refplatform.engine.metrics import EngineMetrics
    from refplatform.engine.models import Models
    from refplatform.engine.reading import Reading
    from refplatform.engine.switch import Switch

CHAT: Final = "/v1/chat/completions"
TEXT: Final = "/v1/completions"
EMBEDDINGS: Final = "/v1/embeddings"
JSON: Final = (b"content-type", b"application/json")
RETRY: Final = ((b"retry-after", b"1"),)
"""Told to who comes while the weights change, which takes seconds: a gateway rests the engine for so long."""
SSE: Final = ((b"content-type", b"text/event-stream; charset=utf-8"), *asgi.SSE_HEADERS[1:])


class EngineApp:
    """One engine over HTTP; `wall` gives unix seconds. With `tell_cached`, usage says how much the prefix cache had.

    `reading` is what a completion costs before the scheduler hears of it; None is nothing beyond what it really costs.
    """

    def __init__(
        self,
        engine: LiveEngine,
        metrics: EngineMetrics,
        models: Models,
        *,
        mind: Mind,
        wall: Callable[[], float],
        tell_cached: bool = False,
        faults: Faults | None = None,
        reading: Reading | None = None,
        switch: Switch | None = None,
    ) -> None:
        self._engine = engine
        self._models = models
        self._mind = mind
        self._wall = wall
        self._tell_cached = tell_cached
        self._faults = faults or NoFaults()
        self._reading = reading
        self._open = 0
        self._served: dict[str, Callable[[asgi.Scope, asgi.Receive, asgi.Send], Awaitable[None]]] = {
            CHAT: partial(self._complete, chat=True),
            TEXT: partial(self._complete, chat=False),
            EMBEDDINGS: self._embed,
        }
        self._rest = rest(engine, metrics, models, load=lambda: self._open, switch=switch)

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Route: what the scheduler serves here, everything else to FastAPI."""
        serve = self._served.get(scope["path"]) if scope["type"] == "http" else None
        if serve is None:
            return await self._rest(scope, receive, send)
        if scope["method"] != "POST":
            return await asgi.answer_json(send, 405, {"detail": "Method Not Allowed"}, [(b"allow", b"POST")])
        self._open += 1
        try:
            await serve(scope, receive, send)
        except asgi.BodyTooLargeError:
            await _refuse(send, BadAskError("the body is too large", status=413))
        except BadAskError as error:
            await _refuse(send, error)
        except RefusedError as error:
            await asgi.answer_json(send, error.status, error.body, error.headers)
        except QueueFullError as error:
            await _refuse(send, BadAskError(str(error), status=503, kind="ServiceUnavailableError"))
        except AsleepError as error:
            await _refuse(send, BadAskError(str(error), status=503, kind="ServiceUnavailableError"))
        except PausedError as error:
            await _refuse(send, BadAskError(str(error), status=503, kind="ServiceUnavailableError"), RETRY)
        except AbortedError:  # whoever has gone is not told
            await _refuse(send, BadAskError("the request was aborted", status=503, kind="ServiceUnavailableError"))
        except asgi.ClientGoneError:
            pass
        finally:
            self._open -= 1
        return None

    async def _complete(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send, *, chat: bool) -> None:
        raw, arrived = await _json(scope, receive), self._engine.now()
        if self._reading is not None:
            await self._reading.take(self._engine.running)
        said = answer(
            raw,
            chat=chat,
            models=self._models,
            mind=self._mind,
            identity=_header(scope, b"x-request-id") or secrets.token_hex(8),
            created=int(self._wall()),
        )
        async with self._held(receive) as streams:
            streams.extend(self._submit(said, arrived))
            shaper = self._faults.of(said, scope["headers"])
            if shaper is None and said.body.stream and len(streams) == 1:
                return await self._stream(send, said, streams[0])
            source = events(said, streams, tell_cached=self._tell_cached)
            return await _play(send, source if shaper is None else shaper(source))

    def _submit(self, said: Answer, arrived: float) -> Iterator[Stream]:
        siblings = Siblings()
        for choice in said.choices:
            if choice.index % said.body.choices == 0:  # the first answer to another prompt
                siblings = Siblings(n=said.body.choices, max_tokens=choice.most)
            yield self._engine.submit(
                prompt=len(choice.prompt.ids),
                asked=len(choice.said.tokens),
                finish_reason=choice.finish_reason,
                hashes=choice.hashes,
                priority=said.body.priority,
                lora=said.lora,
                siblings=siblings,
                arrived=arrived,
            )

    async def _stream(self, send: asgi.Send, said: Answer, stream: Stream) -> None:
        frames, sent = Frames(said, said.choices[0]), 0
        await asgi.start(send, 200, SSE)
        opening = frames.opening()
        while sent <= frames.last:
            try:
                ready = await stream.more_than(sent)
            except AbortedError:
                return await asgi.finish(send, frames.aborted())
            data = opening + frames.tokens(sent, ready)
            sent, opening = ready, b""
            if sent > frames.last:
                await asgi.finish(send, data + frames.closing(cached_of([stream]) if self._tell_cached else None))
            else:
                await asgi.chunk(send, data)
        return None

    async def _embed(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        ask = read_embedding(await _json(scope, receive), self._models)
        async with self._held(receive) as streams:
            streams.extend(
                self._engine.submit(
                    prompt=len(prompt.ids), asked=0, finish_reason="stop", priority=ask.body.priority, lora=ask.lora
                )
                for prompt in ask.prompts
            )
            for stream in streams:
                await stream.more_than(0)
            identity = f"embd-{secrets.token_hex(8)}"
            await asgi.answer(send, 200, ask.answer(identity=identity, created=int(self._wall())), [JSON])

    @contextlib.asynccontextmanager
    async def _held(self, receive: asgi.Receive) -> AsyncIterator[list[Stream]]:
        """A place for streams; they end with the block, or when the client goes away."""
        streams: list[Stream] = []
        watcher = asyncio.create_task(self._abort_when_gone(receive, streams))
        try:
            yield streams
        finally:
            watcher.cancel()
            self._abort(streams)

    async def _abort_when_gone(self, receive: asgi.Receive, streams: list[Stream]) -> None:
        await asgi.until_gone(receive)
        self._abort(streams)

    def _abort(self, streams: list[Stream]) -> None:
        for stream in streams:
            self._engine.abort(stream)


async def _play(send: asgi.Send, source: AsyncIterator[Event]) -> None:
    """Send the events as they come, each in a write of its own."""
    started = False
    try:
        async for event in source:
            if event.kind == "whole":
                return await asgi.answer(send, 200, event.data, [JSON])
            if not started:
                await asgi.start(send, 200, SSE)
                started = True
            await asgi.chunk(send, event.data)
    except AbortedError:
        if not started:
            raise
    except CutError:
        return None if started else await asgi.start(send, 200, SSE)  # no end: the server closes the connection
    if not started:
        await asgi.start(send, 200, SSE)
    return await asgi.finish(send)


async def _json(scope: asgi.Scope, receive: asgi.Receive) -> bytes:
    """The body of a request that says it is JSON. Raises BadAskError, ClientGoneError, BodyTooLargeError."""
    kind = (_header(scope, b"content-type") or "").split(";", 1)[0].strip().lower()
    if kind != "application/json":
        raise BadAskError("only bodies of the type application/json are read", kind="Bad Request")
    return await asgi.read_body(receive)


def _header(scope: asgi.Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


async def _refuse(send: asgi.Send, error: BadAskError, headers: asgi.Headers = ()) -> None:
    await asgi.answer_json(send, error.status, error.body, headers)
