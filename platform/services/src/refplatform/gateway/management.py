"""What may be asked of the gateway itself, besides answers of engines: who takes traffic, what a tenant has used.

Each question has its time measured, so that the promises about management and usage queries can be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from refplatform import asgi
from refplatform.gateway.ledger import LedgerAwayError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from refplatform.gateway.keys import WatchedKeys
    from refplatform.gateway.ledger import Ledger
    from refplatform.gateway.metrics import GatewayMetrics
    from refplatform.gateway.pool import Pool

    Question: TypeAlias = Callable[[bytes], Awaitable[tuple[int, object]]]
    """From an Authorization header to a status and a JSON body."""

ENGINES: Final = "/engines"
USAGE: Final = "/usage"


class Management:
    """An ASGI application: GET of a path in `questions` is answered and timed, everything else goes to `rest`."""

    def __init__(
        self,
        questions: Mapping[str, Question],
        *,
        metrics: GatewayMetrics,
        clock: Callable[[], float],
        rest: asgi.App,
    ) -> None:
        self._questions = questions
        self._metrics = metrics
        self._clock = clock
        self._rest = rest

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer one question, and account for it, however it ends."""
        question = self._questions.get(scope["path"]) if scope["method"] == "GET" else None
        if question is None:
            await self._rest(scope, receive, send)
            return
        began, code = self._clock(), 500
        try:
            code, body = await question(dict(scope["headers"]).get(b"authorization", b""))
            await asgi.answer_json(send, code, body)
        finally:
            self._metrics.managed(scope["path"].strip("/"), code, self._clock() - began)


def engines(pool: Pool) -> Question:
    """Every engine, whether it takes traffic, and how many requests it has now. For operators: it names addresses."""

    async def answer(_: bytes) -> tuple[int, object]:
        data = [{"url": one.url, "ready": one.ready, "in_flight": len(one.flights)} for one in pool.engines]
        return 200, {"object": "list", "data": data}

    return answer


def usage(ledger: Ledger, keys: WatchedKeys) -> Question:
    """What the tenant of the key has used, as the ledger has it; 503 while Redis is away."""

    async def answer(authorization: bytes) -> tuple[int, object]:
        tenant = keys.tenant(authorization)
        if tenant is None:
            kind, code = "invalid_request_error", "invalid_api_key"
            return 401, asgi.error_body("missing or wrong API key", kind=kind, code=code)
        try:
            requests, tokens = await ledger.used(tenant)
        except LedgerAwayError:
            return 503, asgi.error_body("the usage ledger does not answer", kind="service_unavailable", code=503)
        return 200, {"object": "usage", "tenant": tenant, "requests": requests, "tokens": tokens}

    return answer
