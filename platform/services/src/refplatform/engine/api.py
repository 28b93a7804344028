"""The engine's HTTP face: completions by raw ASGI, one write a token; models, health and metrics by FastAPI."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from refplatform import asgi
from refplatform.engine.live import AbortedError, LiveEngine, Stream
from refplatform.engine.scheduler import QueueFullError
from refplatform.engine.wire import Answer, BadAskError, Frames, compose, read_ask, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.engine.calibration import Calibration
    from refplatform.engine.metrics import EngineMetrics

CHAT: Final = "/v1/chat/completions"
TEXT: Final = "/v1/completions"


class EngineApp:
    """One engine over HTTP; `wall` gives unix seconds."""

    def __init__(
        self,
        engine: LiveEngine,
        calibration: Calibration,
        metrics: EngineMetrics,
        *,
        model: str,
        seed: int,
        wall: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._limit = calibration.max_model_len
        self._model = model
        self._seed = seed
        self._wall = wall
        self._rest = rest(metrics, model=model, limit=self._limit, since=int(wall()))

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Route: completions here, everything else to FastAPI."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in (CHAT, TEXT):
            with contextlib.suppress(asgi.ClientGoneError, AbortedError):
                await self._complete(receive, send, chat=scope["path"] == CHAT)
        else:
            await self._rest(scope, receive, send)

    async def _complete(self, receive: asgi.Receive, send: asgi.Send, *, chat: bool) -> None:
        try:
            answer = self._compose(await asgi.read_body(receive), chat=chat)
            stream = self._engine.submit(
                prompt=answer.ask.prompt_tokens, asked=len(answer.tokens), finish_reason=answer.finish_reason
            )
        except asgi.BodyTooLargeError:
            return await _refuse(send, 413, "the body is too large", "BadRequestError")
        except BadAskError as error:
            return await _refuse(send, error.status, str(error), error.kind, error.param)
        except QueueFullError:
            return await _refuse(send, 503, "the queue is full", "ServiceUnavailableError")
        watcher = asyncio.create_task(self._abort_when_gone(receive, stream))
        try:
            await (_stream(send, answer, stream) if answer.ask.stream else _whole(send, answer, stream))
        finally:
            watcher.cancel()
            self._engine.abort(stream)
        return None

    def _compose(self, body: bytes, *, chat: bool) -> Answer:
        ask = read_ask(body, chat=chat, model=self._model, max_model_len=self._limit)
        identity = f"{'chatcmpl' if chat else 'cmpl'}-{uuid4().hex}"
        return compose(ask, seed=self._seed, identity=identity, created=int(self._wall()), max_model_len=self._limit)

    async def _abort_when_gone(self, receive: asgi.Receive, stream: Stream) -> None:
        await asgi.until_gone(receive)
        self._engine.abort(stream)


async def _stream(send: asgi.Send, answer: Answer, stream: Stream) -> None:
    frames, sent, total = Frames(answer), 0, len(answer.tokens)
    await asgi.start(send, 200, asgi.SSE_HEADERS)
    opening = frames.opening()
    while sent < total:
        ready = await stream.more_than(sent)
        events = opening + b"".join(map(frames.token, range(sent, ready)))
        sent, opening = ready, b""
        if sent == total:
            await asgi.finish(send, events + frames.closing())
        else:
            await asgi.chunk(send, events)


async def _whole(send: asgi.Send, answer: Answer, stream: Stream) -> None:
    await stream.more_than(len(answer.tokens) - 1)
    await asgi.answer(send, 200, whole(answer), [(b"content-type", b"application/json")])


async def _refuse(send: asgi.Send, status: int, message: str, kind: str, param: str | None = None) -> None:
    await asgi.answer_json(send, status, asgi.error_body(message, kind=kind, code=status, param=param))


def rest(metrics: EngineMetrics, *, model: str, limit: int, since: int) -> FastAPI:
    """What is not on the streaming path; `since` is the unix second of the start."""
    app = FastAPI(title="refplatform engine", docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> Response:
        return Response()

    @app.get("/v1/models")
    async def models() -> dict[str, object]:
        card = {"id": model, "object": "model", "created": since, "owned_by": "vllm", "max_model_len": limit}
        return {"object": "list", "data": [card]}

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app
