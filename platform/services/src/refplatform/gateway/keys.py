"""Which tenant an API key belongs to; only digests of the keys stay in memory.

The file may be replaced while the service runs. One that cannot be read, or is no key file, changes nothing: the keys
that were good last stay, and the service says so.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEME: Final = b"bearer "
LOOK_SECONDS: Final = 0.25
"""How long a key that was taken out may still open a door."""


class Keys:
    """Looks tenants up by the value of an Authorization header."""

    def __init__(self, tenants: dict[str, str]) -> None:
        self._tenants = {sha256(key.encode()).digest(): tenant for key, tenant in tenants.items()}

    @property
    def tenants(self) -> frozenset[str]:
        """Whose keys there are."""
        return frozenset(self._tenants.values())

    def tenant(self, authorization: bytes) -> str | None:
        """The tenant of "Bearer KEY", or None."""
        if authorization[: len(SCHEME)].lower() != SCHEME:
            return None
        return self._tenants.get(sha256(authorization[len(SCHEME) :].strip()).digest())


def read_keys(path: Path) -> Keys:
    """Keys in a JSON file {"key": "tenant"}. Raises OSError, or ValueError without ever quoting a key."""
    raw = orjson.loads(path.read_bytes())
    if not isinstance(raw, dict) or not raw or not all(isinstance(tenant, str) for tenant in raw.values()):
        raise ValueError('expected a JSON object such as {"key": "tenant"} with at least one key')
    return Keys(raw)


class WatchedKeys:
    """The keys of a file as it is now: looked at every LOOK_SECONDS, swapped whole, kept when the file turns bad.

    `told` hears of each change of the file: the keys that hold from now on, and why its content was refused, or "".
    """

    def __init__(self, path: Path, told: Callable[[Keys, str], None] = lambda _keys, _why: None) -> None:
        """Raises as `read_keys`."""
        self._path = path
        self._told = told
        self._seen = _mark(path)
        self._keys = read_keys(path)

    @property
    def tenants(self) -> frozenset[str]:
        """Whose keys there are now."""
        return self._keys.tenants

    def tenant(self, authorization: bytes) -> str | None:
        """The tenant of "Bearer KEY", or None."""
        return self._keys.tenant(authorization)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Take in what the file says, if it has changed since the last look."""
        mark = _mark(self._path)
        if mark == self._seen:
            return
        self._seen, why = mark, ""
        try:
            self._keys = read_keys(self._path)
        except orjson.JSONDecodeError as error:
            why = f"not JSON at line {error.lineno}"
        except (OSError, ValueError) as error:
            why = str(error)
        self._told(self._keys, why)


def _mark(path: Path) -> tuple[int, int, int] | None:
    """What differs when a file was replaced or written; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
