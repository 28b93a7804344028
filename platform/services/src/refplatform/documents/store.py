"""Documents, their passages and vectors in one SQLite file; a document is there whole or not at all.

Every question names a tenant and sees that tenant's rows alone.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from refplatform.documents.vectors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from refplatform.documents.wire import Document

Stored = Literal["stored", "replaced", "unchanged"]

BUSY_SECONDS: Final = 2.0
"""How long a writer waits for another one."""
_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS documents (
    tenant TEXT, id TEXT, digest TEXT NOT NULL, model TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
    tokens INTEGER NOT NULL, PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunks (
    tenant TEXT, document TEXT, number INTEGER, start INTEGER NOT NULL, stop INTEGER NOT NULL, vector BLOB NOT NULL,
    PRIMARY KEY (tenant, document, number),
    FOREIGN KEY (tenant, document) REFERENCES documents (tenant, id) ON DELETE CASCADE
) WITHOUT ROWID;
"""
_WHOLE: Final = """
SELECT id, title, text, digest, tokens,
    (SELECT count(*) FROM chunks WHERE (chunks.tenant, document) = (documents.tenant, id))
FROM documents WHERE (tenant, id) = (?, ?)
"""
_NEAR: Final = """
SELECT document, number, vector FROM chunks JOIN documents ON (documents.tenant, id) = (chunks.tenant, document)
WHERE chunks.tenant = ? AND model = ? AND length(vector) = ? ORDER BY document, number
"""
_PASSAGE: Final = """
SELECT title, text, start, stop FROM chunks JOIN documents ON (documents.tenant, id) = (chunks.tenant, document)
WHERE chunks.tenant = ? AND document = ? AND number = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A document as it is kept."""

    id: str
    title: str
    text: str
    digest: str
    tokens: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage, and the cosine of its vector with the question's."""

    document: str
    title: str
    chunk: int
    text: str
    score: float


class Store:
    """One file. Every call opens it anew, so that any thread may make it; all raise sqlite3.Error when it is no use.

    What was answered survives the end of the process at any moment. The end of the machine may cost the newest
    documents, never half of one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: sqlite3.Connection | None = None

    def create(self) -> None:
        """Make the file and its tables, if they are not there, and hold it."""
        # The last connection that closes moves the whole log into the file; this one never does while we live.
        self._held = sqlite3.connect(self._path, check_same_thread=False)
        self._held.executescript(_SCHEMA)

    def check(self) -> None:
        """Raise when the file cannot be read."""
        with self._open() as db:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def digest(self, tenant: str, document: str) -> str | None:
        """Of what is kept under this id; None when nothing is."""
        with self._open() as db:
            found = db.execute("SELECT digest FROM documents WHERE (tenant, id) = (?, ?)", (tenant, document))
            row = found.fetchone()
        return row and str(row[0])

    def put(self, tenant: str, model: str, document: Document, vectors: Sequence[bytes]) -> Stored:
        """Keep a document with the vector of each of its chunks, in place of what had its id."""
        spans = zip(document.chunks, vectors, strict=True)
        rows = [(tenant, document.id, n, span.start, span.stop, vector) for n, (span, vector) in enumerate(spans)]
        whole = (tenant, document.id, document.digest, model, document.title, document.text, document.tokens)
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            key = (tenant, document.id)
            before = db.execute("SELECT digest FROM documents WHERE (tenant, id) = (?, ?)", key).fetchone()
            if before == (document.digest,):
                return "unchanged"
            db.execute("DELETE FROM documents WHERE (tenant, id) = (?, ?)", key)
            db.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)", whole)
            db.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)", rows)
        return "replaced" if before else "stored"

    def get(self, tenant: str, document: str) -> Kept | None:
        """A document; None when there is none."""
        with self._open() as db:
            row = db.execute(_WHOLE, (tenant, document)).fetchone()
        if row is None:
            return None
        identity, title, text, digest, tokens, chunks = row
        return Kept(id=identity, title=title, text=text, digest=digest, tokens=tokens, chunks=chunks)

    def delete(self, tenant: str, document: str) -> bool:
        """Remove a document with all that was made of it; whether it was there."""
        with self._open() as db:
            done = db.execute("DELETE FROM documents WHERE (tenant, id) = (?, ?)", (tenant, document))
        return done.rowcount > 0

    def search(self, tenant: str, model: str, query: bytes, hits: int) -> list[Hit]:
        """The passages nearest to a vector of length one: every vector of this model and length is looked at."""
        with self._open() as db:
            db.execute("BEGIN")  # what is found is still there when it is read
            rows = db.execute(_NEAR, (tenant, model, len(query))).fetchall()
            best = nearest(query, [vector for _, _, vector in rows], hits)
            return [_hit(db, tenant, rows[place][0], rows[place][1], score) for place, score in best]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are kept when the block ends well, and only then."""
        with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA synchronous = NORMAL")
            with db:
                yield db


def _hit(db: sqlite3.Connection, tenant: str, document: str, number: int, score: float) -> Hit:
    title, text, start, stop = db.execute(_PASSAGE, (tenant, document, number)).fetchone()
    return Hit(document=document, title=title, chunk=number, text=text[start:stop], score=score)
