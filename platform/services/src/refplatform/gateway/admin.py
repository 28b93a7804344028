"""The gateway's plain face: alive, ready to take traffic, and (on the admin port) its metrics.

Raw ASGI: FastAPI would add half a second to the start of a replica that clients are waiting for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from refplatform import asgi

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.gateway.metrics import GatewayMetrics


class Admin:
    """/health while the process lives; /ready is 503 while it drains or no engine is ready; /metrics when given."""

    def __init__(self, *, name: str, ready: Callable[[], bool], metrics: GatewayMetrics | None = None) -> None:
        self._name = name
        self._ready = ready
        self._metrics = metrics

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer GET on the three paths, 404 elsewhere."""
        del receive
        path = scope["path"] if scope["method"] == "GET" else ""
        if path == "/metrics" and self._metrics:
            kind = (b"content-type", CONTENT_TYPE_LATEST.encode())
            await asgi.answer(send, 200, generate_latest(self._metrics.registry), [kind])
        elif path == "/health":
            await asgi.answer_json(send, 200, {"name": self._name, "status": "alive"})
        elif path == "/ready":
            able = self._ready()
            status = "ready" if able else "not ready"
            await asgi.answer_json(send, 200 if able else 503, {"name": self._name, "status": status})
        else:
            await asgi.answer_json(send, 404, asgi.error_body("not found", kind="invalid_request_error", code=404))
