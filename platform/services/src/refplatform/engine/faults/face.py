"""What an engine with a dead core answers, and how its loads go wrong: an ASGI application before the engine's own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from refplatform import asgi
from refplatform.engine.wire.frames import DONE

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from refplatform.engine.faults.patient import Patient

HEALTH: Final = ("/health", "/ping")
WAKE_UP: Final = "/wake_up"
SERVED: Final = "/v1/"
EVENT: Final = b"data: %b\n\n" + DONE


@dataclass(slots=True)
class _Flight:
    """A request under way: how far its answer is, and whether the core died under it or its client left."""

    started: bool = False
    finished: bool = False
    lost: bool = False
    gone: bool = False


class FaultFace:
    """Passes everything on while the core is not known to be dead."""

    def __init__(self, app: asgi.App, patient: Patient) -> None:
        self._app = app
        self._patient = patient
        self._flights: dict[asyncio.Task[object], _Flight] = {}
        patient.on_death = self._lose

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer in the place of a dead core, or let the engine answer."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        state, path = self._patient.state, scope["path"]
        if path == WAKE_UP and state.load_until:
            return await self._wake(scope, receive, send)
        if state.dead and path in HEALTH:
            return await asgi.answer(send, 503, b"")
        if scope["method"] != "POST" or not path.startswith(SERVED):
            return await self._app(scope, receive, send)
        if state.dead:
            return await asgi.answer_json(send, 500, _error(state.dead))
        return await self._fly(scope, receive, send)

    async def _fly(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Serve; when the core dies meanwhile, say so in the way that is still open; when the client leaves, let go."""
        task, flight = asyncio.current_task(), _Flight()
        assert task is not None  # noqa: S101 - a server calls from a task
        self._flights[task] = flight

        def watched(message: asgi.Message) -> Awaitable[None]:
            flight.started = True
            flight.finished = message["type"] == "http.response.body" and not message.get("more_body", False)
            return send(message)

        async def heard() -> asgi.Message:
            message = await receive()
            if message["type"] == "http.disconnect" and not flight.finished and asyncio.current_task() is not task:
                flight.gone = True
                task.cancel()
            return message

        try:
            await self._app(scope, heard, watched)
        except asyncio.CancelledError:
            if not (flight.lost or flight.gone):
                raise
            task.uncancel()
            if not flight.gone:
                await self._tell(send, started=flight.started)
        finally:
            del self._flights[task]

    async def _tell(self, send: asgi.Send, *, started: bool) -> None:
        error = _error(self._patient.state.dead)
        if started:
            await asgi.finish(send, EVENT % orjson.dumps(error))
        else:
            await asgi.answer_json(send, 500, error)

    def _lose(self) -> None:
        """The core is dead: nobody who waits will get a token."""
        for task, flight in self._flights.items():
            if not flight.finished:
                flight.lost = True
                task.cancel()

    async def _wake(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        state = self._patient.state
        await asyncio.sleep(state.load_seconds)
        if state.load_fails:
            return await asgi.answer_json(send, 500, _error("the weights could not be loaded"))
        return await self._app(scope, receive, send)


def _error(why: str) -> dict[str, dict[str, object]]:
    return asgi.error_body(f"EngineDeadError: {why}", kind="InternalServerError", code=500)
