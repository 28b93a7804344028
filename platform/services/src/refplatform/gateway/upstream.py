"""One try at one engine: send the request, carry the answer to the client as it comes, say how it ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aiohttp
import orjson

from refplatform import asgi
from refplatform.gateway.exchange import Exchange, Failure, outcome_of, reported
from refplatform.gateway.pool import CERTIFICATE, Engine, Flight, Pool
from refplatform.gateway.sse import EventCounter, Pace
from refplatform.gateway.ways import distrust

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.gateway.metrics import GatewayMetrics
    from refplatform.gateway.ways import Ways

CONNECT_SECONDS: Final = 1.0
CLIENT_GONE: Final = "cancelled"
REFUSED: Final = {429: "limited", 500: "error", 502: "unavailable", 503: "unavailable", 504: "unavailable"}
"""What an engine may say that another engine might not, and what such a try is called."""
GRAVE: Final = ("stall", "silent")
"""Ends that cost so much time that the next request should not have to find out as well."""
OK: Final = 200
DONE: Final = b"data: [DONE]\n\n"
HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length", "date", "server")
)


def open_session(ways: Ways, *, keep: bool = True) -> aiohttp.ClientSession:
    """The client towards engines: no total limit, for a stream may be long; idle connections are kept 15 seconds."""
    return aiohttp.ClientSession(
        connector=ways.connector(limit=0, keepalive_timeout=15 if keep else None, force_close=not keep),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent"),
        read_bufsize=2**16,
    )


class Upstream:
    """Tries engines; `clock` is steady seconds.

    A retry takes a connection of its own, from `fresh`: what broke the first may have broken every idle one as well.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        fresh: aiohttp.ClientSession,
        pool: Pool,
        metrics: GatewayMetrics,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._fresh = fresh
        self._pool = pool
        self._metrics = metrics
        self._clock = clock

    async def attempt(
        self, exchange: Exchange, engine: Engine, send: asgi.Send, client_gone: asyncio.Future[None]
    ) -> Failure | None:
        """Try once; None when the exchange has ended (well, or because the client went away)."""
        exchange.attempts += 1
        begun = self._clock()
        exchange.engine = engine.url
        try:
            failure = await self._watched(exchange, engine, send, client_gone)
        except aiohttp.ClientConnectorCertificateError as error:
            why = distrust(error)
            failure = Failure(result=CERTIFICATE, code=502, message=f"the engine's certificate is refused: {why}")
            self._pool.distrusted(engine, why)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            failure = Failure(result="connect", code=502, message=f"no connection to the engine: {_name(error)}")
        except (aiohttp.ClientError, OSError) as error:
            failure = Failure(result="reset", code=502, message=f"the engine broke the connection: {_name(error)}")
        self._judge(exchange, engine, failure, begun)
        ended = {CLIENT_GONE: CLIENT_GONE, "failed": "error"}.get(exchange.outcome, "ok")
        self._metrics.attempt(failure.result if failure else ended)
        return failure

    def _judge(self, exchange: Exchange, engine: Engine, failure: Failure | None, begun: float) -> None:
        """What the try says of the engine; that a client left says nothing.

        A connection that breaks says little: an engine that died refuses the next one.
        """
        result = failure.result if failure else ""
        if result == CERTIFICATE:  # known to the pool; it is out until a probe believes it
            return
        if result == "connect":
            self._pool.eject(engine, result)
        if result == "reset":
            self._pool.broke(engine, self._clock())
        elif failure:
            self._pool.failed(engine, self._clock(), begun=begun, wait=failure.wait, grave=result in GRAVE)
        elif exchange.outcome == "failed":
            self._pool.failed(engine, self._clock(), begun=begun)
        elif exchange.outcome != CLIENT_GONE:
            self._pool.served(engine, begun=begun)

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
        session = self._session if exchange.attempts == 1 else self._fresh
        async with session.request(
            exchange.method,
            engine.url + exchange.path,
            data=exchange.body or None,
            headers=exchange.headers,
            allow_redirects=False,
        ) as response:
            if response.status in REFUSED:
                await response.read()
                wait = _wish(response.headers.get("retry-after", ""))
                result = REFUSED[response.status]
                return Failure(result=result, code=response.status, message="the engine refused", wait=wait)
            if response.content_type == "text/event-stream":
                return await self._pump(exchange, engine, flight, send, response)
            body = await response.read()
            engine.last_byte = self._clock()
            if response.status == OK and not _readable(response, body):
                return Failure(result="malformed", code=502, message="the engine's answer cannot be read")
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
        read, clock, counter, pace, held = response.content.readany, self._clock, EventCounter(), Pace(), b""
        try:
            while not counter.broken and (chunk := await read()):
                held += counter.feed(chunk)
                engine.last_byte = now = clock()
                pace.came(counter.tokens, now)
                # Until there is more than an opening, another engine can still take over without anybody noticing.
                if not held or not (exchange.started or counter.begun or counter.done):
                    continue
                if not exchange.started:
                    exchange.started, exchange.opened, exchange.code = True, True, response.status
                    await asgi.start(send, response.status, _headers(response, exchange))
                flight.sending = True
                await asgi.chunk(send, held)
                flight.sending, held = False, b""
                flight.last = engine.last_byte = clock()
                pace.held(engine.last_byte - now)
        finally:
            if not (counter.done or flight.sending):
                pace.broke(clock())
            exchange.first_token, exchange.gap = pace.first, pace.longest
            exchange.tokens, exchange.finished = counter.tokens, counter.finished
            self._metrics.token(counter.tokens)
        return await _close(exchange, counter, send, response.status)


async def _close(exchange: Exchange, counter: EventCounter, send: asgi.Send, status: int) -> Failure | None:
    """End a stream as it deserves. An answer that is all there but for its end mark is given one."""
    if counter.broken:
        return Failure(result="malformed", code=502, message="the engine sent an event that cannot be read")
    if counter.failed:
        if not exchange.started:
            return Failure(result="error", code=502, message="the engine failed before its first token")
        exchange.end(status, "failed")
        await asgi.finish(send)
    elif exchange.started and (counter.done or counter.whole):
        exchange.end(status, "ok")
        await asgi.finish(send, b"" if counter.done else DONE)
    else:
        return Failure(result="torn", code=502, message="the engine ended the stream too early")
    return None


def _wish(text: str) -> float | None:
    """The seconds of a Retry-After; a date is not read."""
    return float(text) if text.isascii() and text.isdigit() else None


def _readable(response: aiohttp.ClientResponse, body: bytes) -> bool:
    """Whether a whole answer is what its type says."""
    if response.content_type != "application/json":
        return bool(body)
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


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
