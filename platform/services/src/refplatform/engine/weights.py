"""The weights of an engine: which version of a model of a store it serves, and that it serves none that is damaged.

`--preload` (the default) reads every byte before the engine listens, and ends the process when one is wrong. `--lazy`
listens at once, and reads at the first request, which waits; when a byte is wrong it answers 503 and `/health` too.
Nothing is ever computed with weights that were not verified.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from refplatform import asgi, process
from refplatform.engine.switch import PATH
from refplatform.store.models import open_model
from refplatform.store.reference import StoreError

if TYPE_CHECKING:
    import argparse

    from refplatform.store import Manifest, ModelStore

HEALTH: Final = "/health"


@dataclass(frozen=True, slots=True)
class Weights:
    """One version of a model in a store; `calibrations` is a calibration, or a folder out of which profiles choose."""

    store: ModelStore
    manifest: Manifest
    calibrations: Path

    def calibration(self, manifest: Manifest) -> Path:
        """The file that says how fast a version is. Raises StoreError when its profile names none."""
        return calibration_of(manifest, self.calibrations)

    def verify(self) -> None:
        """Read every byte. Raises StoreError that names the blob which is wrong."""
        if flaws := self.store.verify(self.manifest):
            raise StoreError(str(flaws[0]))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser these options."""
    parser.add_argument(
        "--model-store",
        type=Path,
        metavar="DIR",
        help="serve a version of this store; --model is then NAME (what is in use), NAME@VERSION or NAME@sha256:...",
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--lazy", action="store_true", help="verify and load at the first request")
    when.add_argument(
        "--preload", dest="lazy", action="store_false", default=False, help="verify and load before listening (default)"
    )
    parser.add_argument(
        "--switch-seconds",
        type=process.seconds,
        default=1.0,
        metavar="S",
        help=f"how long POST {PATH} takes nobody while other weights take the place of these (default %(default)s)",
    )
    parser.add_argument(
        "--served-model-name",
        type=process.name,
        metavar="NAME",
        help="name in the API (default: the model's)",
    )


def find(args: argparse.Namespace) -> tuple[argparse.Namespace, Weights | None]:
    """The weights of these arguments, None without a store; and the arguments with what follows from the weights.

    `model` becomes the name that clients use. A `calibration` that is a folder becomes the file in it that the
    version's profile names. Raises StoreError.
    """
    weights = Weights(*open_model(args.model_store, args.model), args.calibration) if args.model_store else None
    manifest = weights.manifest if weights else None
    served = args.served_model_name or (manifest.name if manifest else args.model)
    calibration = calibration_of(manifest, args.calibration)
    return type(args)(**vars(args) | {"model": served, "calibration": calibration}), weights


def calibration_of(manifest: Manifest | None, given: Path) -> Path:
    """The file itself, or in a folder the one that the version's profile names. Raises StoreError."""
    if not given.is_dir():
        return given
    if manifest is None or manifest.profile.calibration is None:
        raise StoreError(f"{given} is a folder, and the model names no calibration in it")
    return given / f"{manifest.profile.calibration}.json"


class LazyFace:
    """An ASGI application whose first POST verifies and loads the weights; everybody who asks meanwhile waits."""

    def __init__(self, app: asgi.App, weights: Weights | None, *, load_seconds: float) -> None:
        self._app = app
        self._weights = weights
        self._load_seconds = load_seconds
        self._loading: asyncio.Task[None] | None = None
        self._loaded = False
        self._refusal: str | None = None

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Let the request wait for the weights if it needs them."""
        if not self._loaded and scope["type"] == "http" and scope["method"] == "POST":
            self._loading = self._loading or asyncio.create_task(self._load())
            await asyncio.shield(self._loading)
        if self._refusal is not None and (scope["method"] == "POST" or scope["path"] == HEALTH):
            refusal = asgi.error_body(self._refusal, kind="ServiceUnavailableError", code=503)
            return await asgi.answer_json(send, 503, refusal)
        return await self._app(scope, receive, send)

    async def _load(self) -> None:
        try:
            if self._weights is not None:
                await asyncio.to_thread(self._weights.verify)
        except StoreError as error:
            self._refusal = str(error)
            sys.stderr.write(f"refplatform.engine: {error}\n")
        else:
            await asyncio.sleep(self._load_seconds)
        self._loaded = True
