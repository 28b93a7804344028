"""What clients may ask, read strictly: everything that is wrong with a request is its client's fault and a 4xx."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from refplatform.documents.chunks import Span, count_tokens, split

MOST_TITLE: Final = 500
"""Characters."""
MOST_QUERY_TOKENS: Final = 1000
MOST_HITS: Final = 50
DEFAULT_HITS: Final = 5
_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class BadAskError(Exception):
    """The request cannot be served as asked; carries the HTTP status and the field to look at."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param = status, param


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it was sent; one sent without an id is called by its digest, so that it is kept once."""

    id: str
    title: str
    text: str
    digest: str
    tokens: int
    chunks: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A question, and how many passages are wanted."""

    query: str
    hits: int


def read_document(body: bytes, *, model: str, most_tokens: int) -> Document:
    """The document in a body. Its digest covers title, text and model. Raises BadAskError."""
    raw = _object(body, {"id", "title", "text"})
    title, text = _text(raw, "title", ""), _text(raw, "text")
    if len(title) > MOST_TITLE:
        raise BadAskError(f"title has more than {MOST_TITLE} characters", param="title")
    tokens = count_tokens(text)
    if tokens > most_tokens:
        what = f"text has {tokens} tokens, at most {most_tokens} are taken: send it in parts"
        raise BadAskError(what, status=413, param="text")
    digest = sha256(orjson.dumps([title, text, model])).hexdigest()
    identity = raw.get("id", f"doc-{digest[:32]}")
    if not is_id(identity):
        raise BadAskError("id must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -", param="id")
    return Document(id=identity, title=title, text=text, digest=digest, tokens=tokens, chunks=split(text))


def read_search(body: bytes) -> Search:
    """The question in a body. Raises BadAskError."""
    raw = _object(body, {"query", "k"})
    query, hits = _text(raw, "query"), raw.get("k", DEFAULT_HITS)
    if type(hits) is not int or not 1 <= hits <= MOST_HITS:
        raise BadAskError(f"k must be a whole number from 1 to {MOST_HITS}", param="k")
    if count_tokens(query) > MOST_QUERY_TOKENS:
        raise BadAskError(f"query has more than {MOST_QUERY_TOKENS} tokens", status=413, param="query")
    return Search(query=query, hits=hits)


def is_id(text: object) -> bool:
    """Whether a document may be called so."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def _object(body: bytes, known: set[str]) -> dict[str, Any]:
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAskError(f"the body is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BadAskError("the body must be a JSON object")
    if unknown := sorted(raw.keys() - known):
        raise BadAskError(f"unknown field {unknown[0]!r}", param=unknown[0])
    return raw


def _text(raw: dict[str, Any], name: str, default: str | None = None) -> str:
    """A text of the request; without a `default` it must be there and say something."""
    value = raw.get(name, default)
    if not isinstance(value, str):
        raise BadAskError(f"{name} must be a text", param=name)
    if default is None and not value.strip():
        raise BadAskError(f"{name} is empty", param=name)
    return value
