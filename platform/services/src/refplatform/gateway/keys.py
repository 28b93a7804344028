"""Which tenant an API key belongs to; only digests of the keys stay in memory."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from pathlib import Path

SCHEME: Final = b"bearer "


class Keys:
    """Looks tenants up by the value of an Authorization header."""

    def __init__(self, tenants: dict[str, str]) -> None:
        self._tenants = {sha256(key.encode()).digest(): tenant for key, tenant in tenants.items()}

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
