"""The gateway's data plane: who may ask, which engine answers, when to try another, and how a request ends."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import orjson

from refplatform import asgi
from refplatform.gateway.exchange import Exchange, Failure, wants_stream
from refplatform.gateway.upstream import HOP_BY_HOP, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.gateway.budget import RetryBudget
    from refplatform.gateway.fairness import Shares
    from refplatform.gateway.keys import WatchedKeys
    from refplatform.gateway.ledger import Ledger
    from refplatform.gateway.metrics import GatewayMetrics
    from refplatform.gateway.pool import Engine, Pool

PREFIX: Final = "/v1/"
MOST_TRIES: Final = 3
RETRY_AFTER: Final = 1.0
"""Seconds that a client is asked to wait when no engine said how long."""
PRIVATE: Final = HOP_BY_HOP | {"authorization", "host", "accept-encoding", "x-request-id", "x-tenant", "expect"}
"""Request headers that an engine does not get from a client: the connection's own, its key, and whose it says it is."""

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Proxy:
    """An ASGI application: /v1/* goes to engines, everything else to `rest`."""

    def __init__(
        self,
        *,
        pool: Pool,
        upstream: Callable[[], Upstream],
        keys: WatchedKeys,
        shares: Shares,
        budget: RetryBudget,
        metrics: GatewayMetrics,
        ledger: Ledger,
        log: Callable[[dict[str, object]], None],
        clock: Callable[[], float],
        rest: Any,
    ) -> None:
        self._pool = pool
        self._upstream = upstream
        self._keys = keys
        self._shares = shares
        self._budget = budget
        self._metrics = metrics
        self._ledger = ledger
        self._log = log
        self._clock = clock
        self._rest = rest

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Serve one request and account for it, however it ends."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._rest(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        exchange = _open(scope, headers, self._clock())
        self._metrics.began()
        try:
            await self._serve(exchange, headers.get(b"authorization", b""), receive, send)
        finally:
            self._end(exchange)

    async def _serve(self, exchange: Exchange, key: bytes, receive: asgi.Receive, send: asgi.Send) -> None:
        tenant = self._keys.tenant(key)
        if tenant is None:
            await _say(exchange, send, 401, "missing or wrong API key", kind="invalid_request_error")
            return
        exchange.tenant = tenant
        exchange.headers += (("x-tenant", tenant),)
        try:
            exchange.body = await asgi.read_body(receive)
        except asgi.ClientGoneError:
            exchange.end(499, "cancelled")
            return
        except asgi.BodyTooLargeError:
            await _say(exchange, send, 413, "the body is too large", kind="invalid_request_error")
            return
        if not self._shares.enter(tenant, self._clock()):
            message = "this tenant has its share of requests in flight, and others ask as well"
            await _say(exchange, send, 429, message, kind="rate_limit_error")
            return
        exchange.streaming = wants_stream(exchange.body)
        client_gone = asyncio.create_task(asgi.until_gone(receive))
        try:
            await self._relay(exchange, send, client_gone)
        finally:
            self._shares.leave(tenant)
            client_gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await client_gone

    async def _relay(self, exchange: Exchange, send: asgi.Send, client_gone: asyncio.Future[None]) -> None:
        self._budget.deposit()
        upstream, tried = self._upstream(), []
        engine = self._pool.pick(now=self._clock())
        failure: Failure | None = None
        while engine is not None:
            failure = await upstream.attempt(exchange, engine, send, client_gone)
            if failure is None:
                return
            tried.append(engine)
            engine = self._another(exchange, tried)
        await _give_up(exchange, send, failure)

    def _another(self, exchange: Exchange, tried: list[Engine]) -> Engine | None:
        """The engine for a retry: only before the client's first byte, never the same one, only within the budget."""
        if exchange.started or not self._pool.failover or len(tried) >= MOST_TRIES:
            return None
        now = self._clock()
        other = self._pool.pick(tried, now)
        return other if other is not None and self._budget.withdraw(now) else None

    def _end(self, exchange: Exchange) -> None:
        now = self._clock()
        self._metrics.ended(exchange, now)
        if exchange.attempts:
            self._ledger.add(exchange.tenant, tokens=exchange.tokens, ended=now)
        self._log(exchange.fields(now))


def _open(scope: asgi.Scope, headers: dict[bytes, bytes], now: float) -> Exchange:
    given = headers.get(b"x-request-id", b"")
    identity = given.decode() if _REQUEST_ID.fullmatch(given) else uuid4().hex
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1")
    kept = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    return Exchange(
        request_id=identity,
        method=scope["method"],
        path=f"{path}?{query}" if query else path,
        began=now,
        headers=(*((name, value) for name, value in kept if name not in PRIVATE), ("x-request-id", identity)),
    )


async def _give_up(exchange: Exchange, send: asgi.Send, failure: Failure | None) -> None:
    if failure is None:
        await _say(exchange, send, 503, "no engine is ready", kind="service_unavailable")
    elif exchange.started:
        exchange.end(exchange.code, "failed")
        event = b"data: " + orjson.dumps(_error(exchange, failure.message, "upstream_error", failure.code))
        await asgi.finish(send, event + b"\n\n")
    else:
        await _say(exchange, send, failure.code, failure.message, kind="upstream_error", wait=failure.wait)


async def _say(
    exchange: Exchange, send: asgi.Send, code: int, message: str, *, kind: str, wait: float | None = None
) -> None:
    exchange.end(code, "rejected" if code < 500 else "failed")  # noqa: PLR2004
    exchange.started = True
    headers = [(b"x-request-id", exchange.request_id.encode())]
    if code in (429, 503):
        headers.append((b"retry-after", str(math.ceil(RETRY_AFTER if wait is None else wait)).encode()))
    await asgi.answer_json(send, code, _error(exchange, message, kind, code), headers)


def _error(exchange: Exchange, message: str, kind: str, code: int) -> dict[str, dict[str, object]]:
    name = "invalid_api_key" if code == 401 else code  # noqa: PLR2004
    return asgi.error_body(f"{message} (request {exchange.request_id})", kind=kind, code=name)
