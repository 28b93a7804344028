"""HTTP as prometheus_fastapi_instrumentator counts it in vLLM: around the whole application, streams included.

A handler is a path that vLLM routes; anything else is "none". Status codes are grouped (2xx). Paths that match one of
vLLM's excluded patterns are not counted; a pattern matches anywhere, so `/load` also hides `/v1/load_lora_adapter`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from refplatform.engine.metrics.catalogue import read_catalogue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from refplatform import asgi
    from refplatform.engine.metrics.instruments import Counter, Histogram, Summary
    from refplatform.engine.metrics.recorder import EngineMetrics

UNROUTED: Final = "none"
LENGTH: Final = b"content-length"
PARAMETER: Final = re.compile(r"\\\{[a-z_]+\\\}")


class HttpMetrics:
    """An ASGI application that counts the requests of another one; `clock` gives seconds."""

    def __init__(self, app: asgi.App, metrics: EngineMetrics, *, clock: Callable[[], float]) -> None:
        catalogue = read_catalogue()
        self._app = app
        self._tables = metrics.tables
        self._clock = clock
        self._all = cast("Histogram", self._tables["http_request_duration_highr_seconds"].series())
        self._plain = {handler for handler in catalogue.handlers if "{" not in handler}
        self._templates = {
            handler: re.compile(PARAMETER.sub("[^/]+", re.escape(handler)))
            for handler in sorted(catalogue.handlers - self._plain)
        }
        self._excluded = re.compile("|".join(catalogue.excluded_handlers))

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Serve, and count when the last byte has gone or the client has."""
        if scope["type"] != "http" or self._excluded.search(scope["path"]):
            return await self._app(scope, receive, send)
        began = self._clock()
        status, size = 500, 0.0

        def watched(message: asgi.Message) -> Awaitable[None]:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status, size = message["status"], _length(message["headers"])
            return send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._count(scope, status, size, self._clock() - began)
        return None

    def _count(self, scope: asgi.Scope, status: int, size: float, seconds: float) -> None:
        handler, method = self._handler(scope["path"]), scope["method"]
        labels = {"handler": handler, "method": method, "status": f"{status // 100}xx"}
        cast("Counter", self._tables["http_requests_total"].series(**labels)).add()
        asked = cast("Summary", self._tables["http_request_size_bytes"].series(handler=handler))
        asked.observe(_length(scope["headers"]))
        cast("Summary", self._tables["http_response_size_bytes"].series(handler=handler)).observe(size)
        self._all.observe(seconds)
        lowr = self._tables["http_request_duration_seconds"].series(handler=handler, method=method)
        cast("Histogram", lowr).observe(seconds)

    def _handler(self, path: str) -> str:
        if path in self._plain:
            return path
        return next((name for name, shape in self._templates.items() if shape.fullmatch(path)), UNROUTED)


def _length(headers: asgi.Headers) -> float:
    """What the header says; 0 when it is absent, as in a stream, or no number."""
    text = next((value for name, value in headers if name.lower() == LENGTH), b"0")
    return float(text) if text.isdigit() else 0.0
