"""The document service over HTTP: who may ask, what of it went how, and what that is counted as."""

from __future__ import annotations

import asyncio
import math
import re
import sqlite3
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import uuid4

from refplatform import asgi
from refplatform.documents.embedder import Caller, UnableError
from refplatform.documents.wire import BadAskError, is_id, read_document, read_search

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from refplatform.documents.embedder import Embedder
    from refplatform.documents.metrics import DocumentsMetrics
    from refplatform.documents.store import Store
    from refplatform.documents.wire import Document
    from refplatform.gateway.keys import WatchedKeys

    Work: TypeAlias = Callable[["Asked", bytes], Coroutine[Any, Any, "Reply"]]
    """What is done with a request and its body."""

DOCUMENTS: Final = "/v1/documents"
SEARCH: Final = "/v1/search"
MOST_AT_ONCE: Final = 64
"""Requests under way; one more is refused at once, because it would only wait until its deadline, with its text in
memory."""
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_FAILED: Final = 500
_CLIENT_GONE: Final = 499


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request from its arrival to its end; `began` is when its body was complete, by the service's steady clock."""

    operation: str
    request_id: str
    authorization: bytes
    name: str
    began: float
    tenant: str = ""
    code: int = 500
    outcome: str = "failed"
    chunks: int = 0
    stored: int = 0
    about: str = ""

    @property
    def caller(self) -> Caller:
        """In whose name the model is asked."""
        return Caller(authorization=self.authorization, request_id=self.request_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to say; `outcome` is what it counts as, where that does not follow from the status."""

    code: int
    body: dict[str, Any]
    headers: tuple[tuple[bytes, bytes], ...] = ()
    outcome: str = ""


class Documents:
    """An ASGI application: /v1/documents and /v1/search are answered here, everything else by `rest`."""

    def __init__(
        self,
        *,
        store: Store,
        embedder: Callable[[], Embedder],
        keys: WatchedKeys,
        metrics: DocumentsMetrics,
        model: str,
        most_tokens: int,
        log: Callable[[dict[str, object]], None],
        clock: Callable[[], float],
        rest: asgi.App,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._keys = keys
        self._metrics = metrics
        self._model = model
        self._most_tokens = most_tokens
        self._log = log
        self._clock = clock
        self._rest = rest
        self._under_way = 0

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Serve one request and account for it, however it ends."""
        answer = self._route(scope)
        if answer is None:
            await self._rest(scope, receive, send)
            return
        operation, work = answer
        asked = _open(scope, operation, self._clock())
        self._under_way += 1
        self._metrics.in_progress.inc()
        try:
            await self._serve(asked, work, receive, send)
        finally:
            self._under_way -= 1
            self._metrics.in_progress.dec()
            self._end(asked)

    def _route(self, scope: asgi.Scope) -> tuple[str, Work] | None:
        if scope["type"] != "http":
            return None
        method, path = scope["method"], scope["path"]
        named = path.startswith(f"{DOCUMENTS}/")
        known: dict[tuple[str, str], tuple[str, Work]] = {
            ("POST", DOCUMENTS): ("process", self._process),
            ("POST", SEARCH): ("search", self._search),
            ("GET", f"{DOCUMENTS}/"): ("read", self._read),
            ("DELETE", f"{DOCUMENTS}/"): ("delete", self._delete),
        }
        return known.get((method, f"{DOCUMENTS}/" if named else path))

    async def _serve(self, asked: Asked, work: Work, receive: asgi.Receive, send: asgi.Send) -> None:
        try:
            asked.tenant = self._admitted(asked)
            body = await asgi.read_body(receive)
            asked.began = self._clock()
            reply = await _unless_gone(work(asked, body), receive)
        except asgi.ClientGoneError:
            asked.code, asked.outcome = _CLIENT_GONE, "cancelled"
            return
        except asgi.BodyTooLargeError:
            reply = _refusal(413, "the body is too large")
        except BadAskError as error:
            reply = _refusal(error.status, str(error), error.param)
        except UnableError as error:
            reply = _unable(str(error), code=error.code, wait=error.wait)
        except sqlite3.Error as error:
            reply = _unable(f"the store does not work: {error}")
        asked.code, asked.outcome = reply.code, reply.outcome or _outcome(reply.code)
        asked.about = reply.body["error"]["message"] if "error" in reply.body else ""
        headers = [(b"x-request-id", asked.request_id.encode()), *reply.headers]
        await asgi.answer_json(send, reply.code, reply.body, headers)

    def _admitted(self, asked: Asked) -> str:
        """The tenant who asks. Raises BadAskError, or UnableError when too many ask at once."""
        tenant = self._keys.tenant(asked.authorization)
        if tenant is None:
            raise BadAskError("missing or wrong API key", status=401)
        if self._under_way > MOST_AT_ONCE:
            raise UnableError(f"{MOST_AT_ONCE} requests are under way already")
        return tenant

    async def _process(self, asked: Asked, body: bytes) -> Reply:
        document = read_document(body, model=self._model, most_tokens=self._most_tokens)
        asked.name, asked.chunks = document.id, len(document.chunks)
        if await asyncio.to_thread(self._store.digest, asked.tenant, document.id) == document.digest:
            return _processed(document, "unchanged")
        texts = [document.text[span.start : span.stop] for span in document.chunks]
        vectors = await self._embedder().embed(texts, asked.caller)
        state = await asyncio.to_thread(self._store.put, asked.tenant, self._model, document, vectors)
        asked.stored = 0 if state == "unchanged" else len(vectors)
        return _processed(document, state)

    async def _search(self, asked: Asked, body: bytes) -> Reply:
        search = read_search(body)
        (vector,) = await self._embedder().embed([search.query], asked.caller)
        hits = await asyncio.to_thread(self._store.search, asked.tenant, self._model, vector, search.hits)
        return Reply(code=200, body={"object": "list", "data": [asdict(hit) for hit in hits]})

    async def _read(self, asked: Asked, _: bytes) -> Reply:
        found = await asyncio.to_thread(self._store.get, asked.tenant, asked.name) if is_id(asked.name) else None
        return Reply(code=200, body={"object": "document", **asdict(found)}) if found else _missing()

    async def _delete(self, asked: Asked, _: bytes) -> Reply:
        found = is_id(asked.name) and await asyncio.to_thread(self._store.delete, asked.tenant, asked.name)
        return Reply(code=200, body={"object": "document", "id": asked.name, "deleted": True}) if found else _missing()

    def _end(self, asked: Asked) -> None:
        seconds = self._clock() - asked.began
        if asked.operation == "process":
            self._metrics.processed(asked.outcome, seconds, asked.stored)
        else:
            self._metrics.answered(asked.operation, asked.outcome, seconds)
        self._log(
            {
                "request_id": asked.request_id,
                "tenant": asked.tenant,
                "operation": asked.operation,
                "document": asked.name,
                "chunks": asked.chunks,
                "code": asked.code,
                "outcome": asked.outcome,
                "duration": round(seconds, 6),
                "error": asked.about,
            }
        )


async def _unless_gone(work: Coroutine[Any, Any, Reply], receive: asgi.Receive) -> Reply:
    """What comes of the work. Raises ClientGoneError when the client left before; then the work is ended."""
    gone = asyncio.create_task(asgi.until_gone(receive))
    task = asyncio.create_task(work)
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise asgi.ClientGoneError
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


def _open(scope: asgi.Scope, operation: str, now: float) -> Asked:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    given = headers.get(b"x-request-id", b"")
    return Asked(
        operation=operation,
        request_id=given.decode() if _REQUEST_ID.fullmatch(given) else uuid4().hex,
        authorization=headers.get(b"authorization", b""),
        name=scope["path"].removeprefix(DOCUMENTS).strip("/")[:128] if operation in {"read", "delete"} else "",
        began=now,
    )


def _outcome(code: int) -> str:
    return "ok" if code < 400 else "rejected" if code < _FAILED else "failed"  # noqa: PLR2004 - as HTTP has it


def _processed(document: Document, state: str) -> Reply:
    body = {
        "id": document.id,
        "object": "document",
        "state": state,
        "digest": document.digest,
        "tokens": document.tokens,
        "chunks": len(document.chunks),
    }
    outcome = "unchanged" if state == "unchanged" else "stored"
    return Reply(code=201 if state == "stored" else 200, body=body, outcome=outcome)


def _refusal(code: int, message: str, param: str | None = None) -> Reply:
    kind = "invalid_api_key" if code == 401 else code  # noqa: PLR2004
    return Reply(code=code, body=asgi.error_body(message, kind="invalid_request_error", code=kind, param=param))


def _missing() -> Reply:
    return _refusal(404, "there is no such document")


def _unable(message: str, *, code: int = 503, wait: float = 1.0) -> Reply:
    kind = "service_unavailable" if code >= _FAILED else "invalid_request_error"
    headers = ((b"retry-after", str(max(1, math.ceil(wait))).encode()),)
    return Reply(code=code, body=asgi.error_body(message, kind=kind, code=code), headers=headers)
