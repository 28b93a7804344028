"""Where the devices are scraped: one path beside the engine's own, as dcgm-exporter runs beside it on another port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from refplatform import asgi
from refplatform.engine.gpu.exposition import CONTENT_TYPE, exposition

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.engine.gpu.meter import Meter

PATH: Final = "/gpu/metrics"


class GpuFace:
    """An ASGI application that answers PATH and leaves everything else to another one; `clock` gives seconds."""

    def __init__(self, app: asgi.App, meter: Meter, *, host: str, clock: Callable[[], float]) -> None:
        self._app = app
        self._meter = meter
        self._host = host
        self._clock = clock

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Look at the devices now, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != PATH:
            return await self._app(scope, receive, send)
        self._meter.look(self._clock())
        text = exposition(self._meter.devices, self._host)
        return await asgi.answer(send, 200, text, [(b"content-type", CONTENT_TYPE)])
