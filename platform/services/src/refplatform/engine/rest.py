"""What an engine answers beside completions: its state, its models and adapters, its tokens, sleep, and its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
from fastapi import FastAPI, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from refplatform.engine.switch import PATH, SwitchBody
from refplatform.engine.wire.errors import BadAskError
from refplatform.engine.wire.frames import VERSION
from refplatform.engine.wire.read import Body, read
from refplatform.engine.wire.tokenize import detokenize, tokenize

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.engine.live import LiveEngine
    from refplatform.engine.metrics import EngineMetrics
    from refplatform.engine.models import Models
    from refplatform.engine.switch import Switch


class LoadBody(Body):
    """An adapter to be served."""

    lora_name: str
    lora_path: str
    load_inplace: bool = False


class UnloadBody(Body):
    """An adapter that is served no more."""

    lora_name: str


def rest(
    engine: LiveEngine,
    metrics: EngineMetrics,
    models: Models,
    *,
    load: Callable[[], int],
    switch: Switch | None = None,
) -> FastAPI:
    """All that is not on the streaming path; `load` counts the requests being served."""
    app = FastAPI(title="refplatform engine", docs_url=None, redoc_url=None)
    app.add_exception_handler(BadAskError, _refused)
    _state(app, load)
    _sleep(app, engine)
    _models(app, models, metrics)
    _versions(app, switch)
    _tokens(app, models)

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _state(app: FastAPI, load: Callable[[], int]) -> None:
    async def well() -> Response:
        return Response()

    app.add_api_route("/health", well, methods=["GET"])
    app.add_api_route("/ping", well, methods=["GET", "POST"])

    @app.get("/load")
    async def loaded() -> dict[str, int]:
        return {"server_load": load()}

    @app.get("/version")
    async def version() -> dict[str, str]:
        return {"version": VERSION}


def _sleep(app: FastAPI, engine: LiveEngine) -> None:
    @app.post("/sleep")
    async def sleep(level: Annotated[int, Query(ge=1, le=2)] = 1) -> dict[str, object]:
        engine.sleep(level)
        return {"status": "sleeping", "level": level}

    @app.post("/wake_up")
    async def wake_up() -> dict[str, object]:
        engine.wake()
        return {"status": "awake", "tags": None}

    @app.get("/is_sleeping")
    async def is_sleeping() -> dict[str, bool]:
        return {"is_sleeping": engine.sleep_level > 0}

    @app.post("/reset_prefix_cache")
    async def reset_prefix_cache() -> Response:
        return Response(status_code=200 if engine.reset_prefix_cache() else 503)


def _models(app: FastAPI, models: Models, metrics: EngineMetrics) -> None:
    @app.get("/v1/models")
    async def served() -> dict[str, object]:
        return {"object": "list", "data": models.cards()}

    @app.post("/v1/load_lora_adapter")
    async def load_adapter(request: Request) -> Response:
        body = read(LoadBody, await request.body())
        models.load(body.lora_name, body.lora_path, again=body.load_inplace)
        metrics.show_lora()
        return Response(f"Success: LoRA adapter '{body.lora_name}' is served.")

    @app.post("/v1/unload_lora_adapter")
    async def unload_adapter(request: Request) -> Response:
        body = read(UnloadBody, await request.body())
        models.unload(body.lora_name)
        return Response(f"Success: LoRA adapter '{body.lora_name}' is served no more.")


def _versions(app: FastAPI, switch: Switch | None) -> None:
    def mine() -> Switch:
        if switch is None:
            raise BadAskError("this engine has no versions: it was started without --model-store", status=404)
        return switch

    @app.get(PATH)
    async def serving() -> Response:
        return _json(mine().told())

    @app.post(PATH)
    async def serve(request: Request) -> Response:
        return _json(await mine().to(read(SwitchBody, await request.body())))


def _tokens(app: FastAPI, models: Models) -> None:
    @app.post("/tokenize")
    async def to_ids(request: Request) -> Response:
        return _json(tokenize(await request.body(), models))

    @app.post("/detokenize")
    async def to_text(request: Request) -> Response:
        return _json(detokenize(await request.body(), models))


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, BadAskError):
        raise error
    return _json(error.body, error.status)
