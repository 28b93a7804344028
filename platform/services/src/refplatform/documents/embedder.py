"""The way to the embedding model, one hop through the gateway: in batches, few at once, within a deadline.

The client's own key goes along, so the gateway counts what a document used for the tenant that sent it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson

from refplatform.documents.vectors import read_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from refplatform.documents.metrics import DocumentsMetrics
    from refplatform.gateway.budget import RetryBudget

BATCH: Final = 8
"""Texts a request: a long document is spread over several engines."""
AT_ONCE: Final = 8
"""Requests under way, of all documents together; more would only wait in the engines' queues instead of ours."""
TRIES: Final = 3
PAUSE_SECONDS: Final = 0.1
"""Before another try, unless the gateway says how long."""
CONNECT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
_OK: Final = 200
_BROKEN: Final = 500
_REFUSALS: Final = frozenset({401, 402, 403, 429})
"""What the gateway holds against the client that we ask for, and not against us."""


class UnableError(Exception):
    """It cannot be done now: `code` and the message are for the client, `wait` is seconds until it may ask again.

    `result` is what the try that failed is counted as.
    """

    def __init__(self, message: str, *, code: int = 503, wait: float = 1.0, result: str = "unavailable") -> None:
        super().__init__(message)
        self.code, self.wait, self.result = code, wait, result


class _AgainError(UnableError):
    """One try failed, and another may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """In whose name the model is asked: the Authorization header as it came, and the request's id."""

    authorization: bytes
    request_id: str


def open_session() -> aiohttp.ClientSession:
    """The client towards the gateway; idle connections are kept 15 seconds, less than it keeps them."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class Embedder:
    """Turns texts into vectors; `deadline` is seconds for one document or question, all tries and waiting included."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        gateway: str,
        model: str,
        deadline: float,
        budget: RetryBudget,
        metrics: DocumentsMetrics,
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._url = f"{gateway}/v1/embeddings"
        self._model = model
        self._deadline = deadline
        self._budget = budget
        self._metrics = metrics
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def embed(self, texts: Sequence[str], caller: Caller) -> list[bytes]:
        """A vector for each text, all or none. Raises UnableError, within the deadline."""
        batches = [texts[first : first + BATCH] for first in range(0, len(texts), BATCH)]
        tasks = [asyncio.ensure_future(self._batch(batch, caller)) for batch in batches]
        try:
            async with asyncio.timeout(self._deadline):
                vectors = [vector for part in await asyncio.gather(*tasks) for vector in part]
        except TimeoutError as error:
            raise UnableError(f"no vectors within {self._deadline:g} s") from error
        finally:
            for task in tasks:
                task.cancel()
        if len({len(vector) for vector in vectors}) > 1:
            raise UnableError("the model answered with vectors of several lengths", code=502)
        return vectors

    async def _batch(self, texts: Sequence[str], caller: Caller) -> list[bytes]:
        """Try, and try again: with a pause, and no more often than the budget for all requests allows."""
        self._budget.deposit()
        for left in reversed(range(TRIES)):
            try:
                async with self._slots:
                    return await self._counted(texts, caller)
            except _AgainError as error:
                if not left or not self._budget.withdraw(self._clock()):
                    raise
                await asyncio.sleep(error.wait)
        raise AssertionError  # the last try returns or raises

    async def _counted(self, texts: Sequence[str], caller: Caller) -> list[bytes]:
        result = "cancelled"
        try:
            vectors = await self._try(texts, caller)
            result = "ok"
        except UnableError as error:
            result = error.result
            raise
        finally:
            self._metrics.attempt(result)
        return vectors

    async def _try(self, texts: Sequence[str], caller: Caller) -> list[bytes]:
        try:
            # Half of the deadline, so that there is time for one more try when the other end has gone silent.
            async with asyncio.timeout(self._deadline / 2):
                return await self._ask(texts, caller)
        except TimeoutError as error:
            raise _AgainError("the gateway does not answer", wait=0, result="timeout") from error
        except (aiohttp.ClientError, OSError) as error:
            message = f"no connection to the gateway: {type(error).__name__}"
            raise _AgainError(message, wait=PAUSE_SECONDS, result="connection") from error

    async def _ask(self, texts: Sequence[str], caller: Caller) -> list[bytes]:
        body = orjson.dumps({"model": self._model, "input": texts, "encoding_format": "float"})
        headers = {
            "authorization": caller.authorization.decode("latin-1"),
            "content-type": "application/json",
            "x-request-id": caller.request_id,
        }
        async with self._session.post(self._url, data=body, headers=headers) as response:
            answer = await response.read()
        if response.status == _OK:
            return _vectors(answer, len(texts))
        wait = _seconds(response.headers.get("retry-after", ""))
        message = f"the gateway answered {response.status}: {_message(answer)}"
        if response.status >= _BROKEN:
            raise _AgainError(message, wait=wait)
        code = response.status if response.status in _REFUSALS else 502
        raise UnableError(message, code=code, wait=wait, result="refused")


def _vectors(answer: bytes, count: int) -> list[bytes]:
    try:
        return read_vectors(orjson.loads(answer), count)
    except ValueError as error:
        raise UnableError(f"the gateway's answer cannot be used: {error}", code=502, result="malformed") from error


def _seconds(text: str) -> float:
    """A Retry-After in seconds; its other form, a date, is not what gateways send."""
    return min(float(text), LONGEST_WAIT_SECONDS) if text.isdecimal() else PAUSE_SECONDS


def _message(answer: bytes) -> str:
    """What an error answer says, short."""
    try:
        raw: Any = orjson.loads(answer)
        return str(raw["error"]["message"])[:200]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return answer[:80].decode(errors="replace")
