"""Starts the document service: `python -m refplatform.documents --help`."""

from __future__ import annotations

import argparse
import asyncio
import math
import sqlite3
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from refplatform import asgi, process
from refplatform.documents.api import Documents
from refplatform.documents.embedder import Embedder, open_session
from refplatform.documents.metrics import DocumentsMetrics
from refplatform.documents.store import Store
from refplatform.gateway.budget import RetryBudget
from refplatform.gateway.keys import WatchedKeys

PROG: Final = "refplatform.documents"
DRAIN_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.4
"""Less than the platform waits for an answer of /ready."""
MOST_TOKENS: Final = 16_384
"""Of a document: some two seconds of three `laptop` engines, which is as long as one may take."""


def main() -> None:
    """Read the arguments, bind, serve."""
    args = _arguments()
    metrics = DocumentsMetrics()
    keys, store = _keys(args.keys, metrics), _store(args.data)
    sock = process.bind(PROG, args.host, args.port)
    service = Service(args, keys, store, metrics)
    process.serve(
        process.Service(
            listeners=(process.Listener(app=service.documents, sock=sock),),
            background=(service.keep_client, keys.run),
            on_stop=service.stop,
            drain_seconds=DRAIN_SECONDS,
        )
    )


class Service:
    """The service put together; the client towards the gateway is made inside the running loop."""

    def __init__(self, args: argparse.Namespace, keys: WatchedKeys, store: Store, metrics: DocumentsMetrics) -> None:
        self._args = args
        self._store = store
        self._stopping = False
        self._metrics = metrics
        self._session: aiohttp.ClientSession | None = None
        self._embedder: Embedder | None = None
        self.documents = Documents(
            store=store,
            embedder=self._client,
            keys=keys,
            metrics=self._metrics,
            model=args.model,
            most_tokens=args.most_tokens,
            log=_log,
            clock=time.monotonic,
            rest=self.rest,
        )

    def stop(self) -> None:
        """Say "not ready" from now on."""
        self._stopping = True

    async def keep_client(self) -> None:
        """Hold the client towards the gateway until the service ends, then close it."""
        async with open_session() as session:
            self._session = session
            self._embedder = Embedder(
                session,
                gateway=self._args.gateway,
                model=self._args.model,
                deadline=self._args.deadline,
                budget=RetryBudget(refilled=time.monotonic()),
                metrics=self._metrics,
                clock=time.monotonic,
            )
            await asyncio.Event().wait()

    async def rest(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """/health while the process lives; /ready when all that it depends on works; /metrics; 404 elsewhere."""
        del receive
        path = scope["path"] if scope["method"] == "GET" else ""
        if path == "/metrics":
            kind = (b"content-type", CONTENT_TYPE_LATEST.encode())
            await asgi.answer(send, 200, generate_latest(self._metrics.registry), [kind])
        elif path == "/health":
            await asgi.answer_json(send, 200, {"status": "alive"})
        elif path == "/ready":
            trouble = await self._trouble()
            status = "not ready" if trouble else "ready"
            await asgi.answer_json(send, 503 if trouble else 200, {"status": status, "reason": trouble})
        else:
            await asgi.answer_json(send, 404, asgi.error_body("not found", kind="invalid_request_error", code=404))

    async def _trouble(self) -> str:
        """Why documents cannot be processed now; empty when they can."""
        if self._stopping or self._session is None:
            return "the service ends" if self._stopping else "the service begins"
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await asyncio.to_thread(self._store.check)
                async with self._session.get(f"{self._args.gateway}/ready") as response:
                    return "" if response.status == 200 else "the gateway is not ready"  # noqa: PLR2004
        except sqlite3.Error as error:
            return f"the store does not work: {error}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return f"the gateway does not answer: {type(error).__name__}"

    def _client(self) -> Embedder:
        if self._embedder is None:
            raise RuntimeError("a request came before the event loop had started the client")
        return self._embedder


def _log(fields: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps({"time": time.time(), **fields}) + b"\n")
    sys.stdout.buffer.flush()


def _arguments() -> argparse.Namespace:
    parser = process.parser(
        prog=PROG,
        about="Splits, embeds, keeps and finds documents.",
        example="python -m refplatform.documents --port 8200 --gateway http://127.0.0.1:8000 --keys keys.json"
        " --data documents --model sim",
    )
    parser.add_argument("--port", type=int, required=True, help="TCP port to answer on")
    parser.add_argument("--host", default="127.0.0.1", help="address to answer on (default %(default)s)")
    parser.add_argument("--gateway", type=_url, required=True, help="address of the gateway that embeds")
    parser.add_argument(
        "--keys", type=Path, required=True, help='JSON file {"key": "tenant"}, the same as the gateway\'s'
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the store, documents.db")
    parser.add_argument("--model", required=True, help="the model that embeds")
    parser.add_argument(
        "--deadline", type=_seconds, default=5.0, help="seconds for the vectors of one document (default %(default)s)"
    )
    parser.add_argument(
        "--most-tokens", type=int, default=MOST_TOKENS, help="longest document that is taken (default %(default)s)"
    )
    return parser.parse_args()


def _url(text: str) -> str:
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).netloc:
        raise argparse.ArgumentTypeError(f"expected an http:// address, got {text!r}")
    return text.rstrip("/")


def _seconds(text: str) -> float:
    if not 0 < (value := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"expected more than 0 seconds, got {text!r}")
    return value


def _keys(path: Path, metrics: DocumentsMetrics) -> WatchedKeys:
    try:
        return WatchedKeys(path, lambda _, why: metrics.config.set(not why))
    except (OSError, ValueError) as error:
        process.fail(PROG, f"cannot use the keys {path}: {error}")


def _store(folder: Path) -> Store:
    store = Store(folder / "documents.db")
    try:
        store.create()
    except (OSError, sqlite3.Error) as error:
        process.fail(PROG, f"cannot keep documents in {folder}: {error}")
    return store


if __name__ == "__main__":
    main()
