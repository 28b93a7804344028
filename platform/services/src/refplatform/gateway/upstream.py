"""One try at one engine: send the request, carry the answer to the client as it comes, say how it ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aiohttp

from refplatform import asgi
from refplatform.gateway.exchange import Exchange, Failure, outcome_of, reported
from refplatform.gateway.pool import Engine, Flight, Pool
from refplatform.gateway.sse import EventCounter, Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.gateway.metrics import GatewayMetrics

CONNECT_SECONDS: Final = 1.0
CLIENT_GONE: Final = "cancelled"
UNAVAILABLE: Final = (502, 503)
HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length", "date", "server")
)


def open_session() -> aiohttp.ClientSession:
    """The client towards engines: no total limit, for a stream may be long; idle connections are kept 15 seconds."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent"),
        read_bufsize=2**16,
    )


class Upstream:
    """Tries engines; `clock` is steady seconds."""

    def __init__(
        self, session: aiohttp.ClientSession, pool: Pool, metrics: GatewayMetrics, *, clock: Callable[[], float]
    ) -> None:
        self._session = session
        self._pool = pool
        self._metrics = metrics
        self._clock = clock

    async def attempt(
        self, exchange: Exchange, engine: Engine, send: asgi.Send, client_gone: asyncio.Future[None]
    ) -> Failure | None:
        """Try once; None when the exchange has ended (well, or because the client went away)."""
        exchange.attempts += 1
        exchange.engine = engine.url
        try:
            failure = await self._watched(exchange, engine, send, client_gone)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            failure = Failure(result="connect", code=502, message=f"no connection to the engine: {_name(error)}")
        except (aiohttp.ClientError, OSError) as error:
            failure = Failure(result="reset", code=502, message=f"the engine broke the connection: {_name(error)}")
        if failure and failure.result in ("connect", "reset"):
            self._pool.eject(engine, failure.result)
        ended = {CLIENT_GONE: CLIENT_GONE, "failed": "error"}.get(exchange.outcome, "ok")
        self._metrics.attempt(failure.result if failure else ended)
        return failure

    async def _watched(
        self, exchange: Exchange, engine: Engine, send: asgi.Send, client_gone: asyncio.Future[None]
    ) -> Failure | None:
        """Carry the answer in a task of its own, so that a stall or the client's leaving can end it from outside."""
        flight = Flight(streaming=exchange.streaming, interrupt=lambda why: _interrupt(task, reasons, why))
        reasons: list[str] = []
        task = asyncio.ensure_future(self._carry(exchange, engine, flight, send))
        leave = lambda _: flight.interrupt(CLIENT_GONE)  # noqa: E731
        client_gone.add_done_callback(leave)
        engine.board(flight, self._clock())
        try:
            return await task
        except asyncio.CancelledError:
            if not reasons:
                task.cancel()
                raise
        finally:
            engine.flights.discard(flight)
            client_gone.remove_done_callback(leave)
        if reasons[0] == CLIENT_GONE:
            exchange.end(200 if exchange.started else 499, CLIENT_GONE)
            return None
        return Failure(result=reasons[0], code=504, message="the engine stopped making progress")

    async def _carry(self, exchange: Exchange, engine: Engine, flight: Flight, send: asgi.Send) -> Failure | None:
        async with self._session.request(
            exchange.method,
            engine.url + exchange.path,
            data=exchange.body or None,
            headers=exchange.headers,
            allow_redirects=False,
        ) as response:
            engine.last_byte = self._clock()
            if response.status in UNAVAILABLE:
                body = await response.read()
                return Failure(result="unavailable", code=response.status, message="the engine refused", body=body)
            if response.content_type == "text/event-stream":
                return await self._pump(exchange, engine, flight, send, response)
            body = await response.read()
        await self._whole(exchange, response, body, send)
        return None

    async def _whole(self, exchange: Exchange, response: aiohttp.ClientResponse, body: bytes, send: asgi.Send) -> None:
        exchange.end(response.status, outcome_of(response.status))
        if exchange.outcome == "ok" and exchange.embeds:
            exchange.tokens = reported(body, "prompt_tokens")
        elif exchange.outcome == "ok":
            exchange.tokens = reported(body, "completion_tokens")
            self._metrics.token(exchange.tokens)
        exchange.started = True
        await asgi.answer(send, response.status, body, _headers(response, exchange))

    async def _pump(
        self,
        exchange: Exchange,
        engine: Engine,
        flight: Flight,
        send: asgi.Send,
        response: aiohttp.ClientResponse,
    ) -> Failure | None:
        read, clock, counter, pace = response.content.readany, self._clock, EventCounter(), Pace()
        try:
            while chunk := await read():
                counter.feed(chunk)
                if not exchange.started:
                    exchange.started, exchange.opened, exchange.code = True, True, response.status
                    await asgi.start(send, response.status, _headers(response, exchange))
                now = clock()
                pace.came(counter.tokens, now)
                flight.sending = True
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                flight.sending = False
                engine.last_byte = clock()
                pace.held(engine.last_byte - now)
        finally:
            if not (counter.done or flight.sending):
                pace.broke(clock())
            exchange.first_token, exchange.gap = pace.first, pace.longest
            exchange.tokens, exchange.cut, exchange.finished = counter.tokens, bool(counter.rest), counter.finished
            self._metrics.token(counter.tokens)
        if counter.done and not counter.failed:
            exchange.end(response.status, "ok")
        elif not counter.failed:
            return Failure(result="torn", code=502, message="the engine ended the stream too early")
        else:
            exchange.end(response.status, "failed")
        await asgi.finish(send)
        return None


def _interrupt(task: asyncio.Task[Failure | None], reasons: list[str], why: str) -> None:
    if not task.done():
        reasons.append(why)
        task.cancel()


def _name(error: Exception) -> str:
    return type(error).__name__


def _headers(response: aiohttp.ClientResponse, exchange: Exchange) -> list[tuple[bytes, bytes]]:
    kept = [
        (name.lower(), value)
        for name, value in response.raw_headers
        if name.decode("latin-1").lower() not in HOP_BY_HOP and name.lower() != b"x-request-id"
    ]
    return [*kept, (b"x-request-id", exchange.request_id.encode())]
