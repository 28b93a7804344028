"""The state folder: where each file of a running platform lies, who may write it, and room on its disk."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import PlatformError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = ".made-by-holdfast"
"""Lies in every folder that `up` may empty; a folder with files but without it is somebody else's."""
ROOM = 64 * 1024 * 1024
"""Bytes that must be free: one segment of Prometheus's write-ahead log is half of it."""
LONGEST_SOCKET = 90
"""A socket path has 107 bytes, and supervisord binds a temporary name, its pid appended, first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Paths inside one state folder, which is absolute."""

    state: Path

    @property
    def document(self) -> Path:
        """The one file that everything else reads."""
        return self.state / "platform.json"

    @property
    def api_key(self) -> Path:
        """The key that clients of the gateway send; 0600."""
        return self.state / "api-key"

    @property
    def keys(self) -> Path:
        """The keys that the gateway accepts; 0600."""
        return self.state / "keys.json"

    @property
    def fault_token(self) -> Path:
        """The token of the doors through which engines are given faults; 0600."""
        return self.state / "fault-token"

    @property
    def config(self) -> Path:
        """Configuration that `up` generated."""
        return self.state / "config"

    @property
    def rules(self) -> Path:
        """Prometheus rule files."""
        return self.state / "rules"

    @property
    def logs(self) -> Path:
        """One log a process; they survive `down`."""
        return self.state / "logs"

    @property
    def data(self) -> Path:
        """One folder a process; emptied by `up`, kept by `down`."""
        return self.state / "data"

    @property
    def faults(self) -> Path:
        """Write-ahead record of faults; kept by `up` and `down`."""
        return self.state / "faults.ndjson"

    def log(self, name: str) -> Path:
        """Log of one process."""
        return self.logs / f"{name}.log"

    @property
    def mark(self) -> str:
        """Entry in the environment of every process of this platform, so that strays can be found without records."""
        return f"HOLDFAST_PLATFORM_PROCESS={self.state}"


def layout(state: Path) -> Layout:
    """Layout of a state folder; relative paths count from here."""
    return Layout(state=Path(os.path.abspath(state)))  # noqa: PTH100  resolve() would follow links out of the folder


@contextlib.contextmanager
def locked(where: Layout) -> Iterator[None]:
    """Keep every other `up` and `down` off this state folder. Raises PlatformError naming who is at it."""
    with naming(where.state):
        where.state.mkdir(parents=True, exist_ok=True)
        handle = os.open(where.state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            by = os.read(handle, 32).decode("ascii", "replace").strip()
            raise PlatformError(
                f"another holdfast{f' (pid {by})' if by else ''} is at work on {where.state}",
                hint="wait for it, or use another --state folder",
            ) from None
        with naming(where.state):
            os.truncate(handle, 0)
            os.write(handle, b"%d\n" % os.getpid())
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def naming(folder: Path) -> Iterator[None]:
    """Turn a failing file operation into a PlatformError that names the folder and the cause."""
    try:
        yield
    except OSError as error:
        cause = "no space left" if error.errno in {errno.ENOSPC, errno.EDQUOT} else error.strerror or str(error)
        raise PlatformError(f"cannot write the state folder {folder}: {cause}") from error


def has_room(folder: Path) -> bool:
    """Whether the disk under the folder has ROOM left."""
    return shutil.disk_usage(folder).free >= ROOM


def require_room(folder: Path) -> None:
    """Raises PlatformError, naming the folder, when its disk is full or nearly so."""
    if not has_room(folder):
        left = shutil.disk_usage(folder).free
        raise PlatformError(
            f"no space left for the state folder {folder}: {left >> 20} MiB free, {ROOM >> 20} MiB needed",
            hint="make room, or put the state elsewhere with --state",
        )


def fresh(folder: Path) -> None:
    """Make the folder, empty. Raises UsageError when it holds files that are not Holdfast's."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise UsageError(f"{folder} holds files that are not Holdfast's", hint="use another --state folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def write(path: Path, text: str, *, secret: bool = False) -> None:
    """Write a file at once or not at all; a secret is readable by its owner only from its first byte."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
