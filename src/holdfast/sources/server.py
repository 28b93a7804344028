"""Asking a Prometheus over its HTTP API; one that cannot be asked leaves the answer unknown."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from holdfast.errors import ExitCode, InfrastructureError, UsageError

TIMEOUT: Final = 15.0
_ABSENT: Final = (404, 405, 501)
_MOST: Final = 300


class UnansweredError(InfrastructureError):
    """The server did not answer, so nothing is known."""

    exit_code = ExitCode.UNKNOWN


@dataclass(frozen=True, slots=True)
class Asking:
    """One server, by the URL under which /api/v1 lies."""

    url: str

    def get(self, path: str, *params: tuple[str, str]) -> Any:
        """What `data` holds in the answer of /api/v1/PATH; None where the server has no such thing.

        Raises UnansweredError for any other answer, and UsageError for what is no http address.
        """
        if urlsplit(self.url).scheme not in {"http", "https"} or not urlsplit(self.url).hostname:
            raise UsageError(f"not an address of a server: {self.url!r}", hint="--prometheus http://127.0.0.1:9090")
        body = urlencode(params).encode() if params else None
        asked = Request(f"{self.url.rstrip('/')}/api/v1/{path}", data=body)  # noqa: S310 - http or https, as above
        try:
            with urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310 - http or https, as above
                said = json.load(answer)
        except HTTPError as error:
            if error.code in _ABSENT:
                return None
            raise UnansweredError(f"{self.url} refused {path}: {_its_words(error)}") from error
        except (URLError, OSError, ValueError, http.client.HTTPException) as error:
            raise UnansweredError(f"{self.url} did not answer {path}: {error}", hint="is it a Prometheus?") from error
        if not isinstance(said, dict) or said.get("status") != "success":
            raise UnansweredError(f"{self.url} did not answer {path} as a Prometheus does")
        if said.get("warnings"):
            # Servers in front of several stores answer with what they have, and say here what they lack.
            raise UnansweredError(f"{self.url} answered {path} in part: {said['warnings'][0]}")
        return said.get("data")

    def number(self, query: str) -> float | None:
        """The one number that a query gives now; None when it is none, or several. Raises as `get`."""
        found = (self.get("query", ("query", query)) or {}).get("result", [])
        return float(found[0]["value"][1]) if len(found) == 1 else None


def _its_words(error: HTTPError) -> str:
    text = error.read(_MOST).decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {error.code}"
