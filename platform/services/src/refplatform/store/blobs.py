"""Files by the SHA-256 of their content, each once. A blob is there whole or not at all, also after a power cut."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

CHUNK: Final = 1024 * 1024
READ_ONLY: Final = 0o444


class Blobs:
    """The folder `blobs/` of a store, and `tmp/`, where blobs grow."""

    def __init__(self, root: Path) -> None:
        self._root = root / "blobs"
        self._tmp = root / "tmp"

    def path(self, sha256: str) -> Path:
        """Where the blob lies, or would lie."""
        return self._root / sha256[:2] / sha256

    def put(self, source: BinaryIO) -> tuple[str, int]:
        """Keep a content: its digest and its size. Raises OSError; then nothing is left of it.

        What is hashed is what is written, so a source that changes meanwhile makes another blob, never a wrong one. A
        blob that is already there is read again, and replaced if it is damaged.
        """
        with growing(self._tmp) as (temporary, out):
            digest, size = hashlib.sha256(), 0
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
            sha256 = digest.hexdigest()
            if self.flaw(sha256, size) is not None:
                out.flush()
                os.fsync(out.fileno())
                temporary.chmod(READ_ONLY)
                self.path(sha256).parent.mkdir(parents=True, exist_ok=True)
                temporary.rename(self.path(sha256))
                sync(self.path(sha256).parent)
                sync(self._root)
        return sha256, size

    def flaw(self, sha256: str, size: int, *, deep: bool = True) -> str | None:
        """What is wrong with a blob: it is missing, has another size, or (`deep`) another content; None when right."""
        digest = hashlib.sha256()
        try:
            found = self.path(sha256).stat().st_size
            if found != size:
                return f"has {found} bytes, not {size}"
            if not deep:
                return None
            with self.path(sha256).open("rb") as blob:
                while chunk := blob.read(CHUNK):
                    digest.update(chunk)
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return None if digest.hexdigest() == sha256 else f"has the content of {digest.hexdigest()}"

    def all(self) -> Iterator[Path]:
        """Every blob."""
        return self._root.glob("??/*")

    def stale(self) -> Iterator[Path]:
        """What killed processes left; only for who holds the store's lock alone."""
        return self._tmp.glob("*")


@contextlib.contextmanager
def growing(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file under a name that nobody reads; gone at the end unless it was renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / uuid4().hex
    try:
        with temporary.open("xb") as out:
            yield temporary, out
    finally:
        temporary.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Make the names in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
