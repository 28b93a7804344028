"""One GET, on a connection of its own, as any client would ask: its status and body, or nothing in time."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE: Final = 2.0
"""Seconds."""


class Said(NamedTuple):
    """What came back; status 0 when nothing did."""

    status: int
    body: bytes = b""


def get(url: str, headers: Mapping[str, str] | None = None) -> Said:
    """Ask once; a server that is not there, or does not answer in time, said nothing."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path or "/", headers={**(headers or {}), "connection": "close"})
        response = connection.getresponse()
        return Said(response.status, response.read())
    except (OSError, http.client.HTTPException):
        return Said(0)
    finally:
        connection.close()
