"""TLS that ends at a proxy: a certificate for each thing that may be shown, chosen anew at each handshake."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

GOOD: Final = "good"
KINDS: Final = (GOOD, "expired", "other_ca", "other_name")


def files(folder: Path, name: str) -> dict[str, Path]:
    """Where the certificates of a proxy lie: NAME.KIND.pem, each with its key."""
    return {kind: folder / f"{name}.{kind}.pem" for kind in KINDS}


def context(found: Mapping[str, Path], shown: Callable[[], str]) -> ssl.SSLContext:
    """For a listener; `shown` says of each handshake which certificate. Raises OSError without one, or its key."""
    contexts = {kind: _one(path) for kind, path in found.items()}

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = contexts[shown()]

    listening = _one(found[GOOD])
    # Called at every handshake, also of clients that come by address and name nobody.
    listening.sni_callback = choose
    return listening


def _one(path: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.load_cert_chain(path)
    return made
