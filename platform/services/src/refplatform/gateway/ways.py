"""How this gateway comes to engines: who tells it their addresses, and whose word it takes for who they are."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp

if TYPE_CHECKING:
    from pathlib import Path

    from refplatform.gateway.names import Names

WHY: Final = ("expired", "unknown authority", "wrong name", "other")
"""Why a certificate is refused."""
_CODES: Final = {10: WHY[0], 18: WHY[1], 19: WHY[1], 20: WHY[1], 21: WHY[1], 62: WHY[2], 64: WHY[2]}
"""OpenSSL's verification errors (X509_V_ERR_*)."""


@dataclass(frozen=True, slots=True)
class Ways:
    """None: the system's resolver; the system's authorities."""

    names: Names | None = None
    trust: ssl.SSLContext | None = None

    def connector(self, **options: Any) -> aiohttp.TCPConnector:
        """For a session of its own; it keeps no addresses, the resolver does."""
        named: dict[str, Any] = {"resolver": self.names, "use_dns_cache": False} if self.names else {}
        return aiohttp.TCPConnector(**named, ssl=self.trust or True, **options)


def trusting(authority: Path) -> ssl.SSLContext:
    """Believes this authority and nobody else, and speaks TLS 1.3. Raises OSError for a file that is none."""
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def distrust(error: aiohttp.ClientConnectorCertificateError) -> str:
    """Why, as one of WHY."""
    return _CODES.get(getattr(error.certificate_error, "verify_code", 0), "other")
