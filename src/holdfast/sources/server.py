"""Asking a Prometheus over its HTTP API; one that cannot be asked leaves the answer unknown."""

from __future__ import annotations

import base64
import http.client
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlencode, urlsplit
from urllib.request import Request, urlopen

from holdfast.errors import ExitCode, InfrastructureError, UsageError

TIMEOUT: Final = 15.0
TOKEN: Final = "HOLDFAST_PROMETHEUS_TOKEN"  # noqa: S105 - where the secret is, not the secret
"""The environment variable in which a bearer token is given; a command line is seen by everybody on the machine."""
_ABSENT: Final = (404, 405, 501)
_REFUSED: Final = (401, 403)
_BEARER: Final = re.compile(r"[!-~]+")
_MOST: Final = 300


class UnansweredError(InfrastructureError):
    """The server did not answer, so nothing is known."""

    exit_code = ExitCode.UNKNOWN


@dataclass(frozen=True, slots=True)
class Asking:
    """One server, by the URL under which /api/v1 lies: with `user:password@` in it, or with a bearer `token`."""

    url: str = field(repr=False)
    token: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """The URL without what only the server may know. Raises UsageError for what is no http address."""
        parts = self._parts()
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def get(self, path: str, *params: tuple[str, str]) -> Any:
        """What `data` holds in the answer of /api/v1/PATH; None where the server has no such thing.

        Raises UnansweredError for any other answer, and UsageError for what is no http address or no token.
        """
        body = urlencode(params).encode() if params else None
        address = self.address
        asked = Request(f"{address.rstrip('/')}/api/v1/{path}", data=body)  # noqa: S310 - http or https, as above
        if known := self._authorization():
            # A server that sends us elsewhere must not send our secrets along.
            asked.add_unredirected_header("Authorization", known)
        try:
            with urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310 - http or https, as above
                said = json.load(answer)
        except HTTPError as error:
            if error.code in _ABSENT:
                return None
            hint = f"{TOKEN}, or user:password@ in the address" if error.code in _REFUSED else ""
            raise UnansweredError(f"{address} refused {path}: {_its_words(error)}", hint=hint) from error
        except (URLError, OSError, ValueError, http.client.HTTPException) as error:
            raise UnansweredError(f"{address} did not answer {path}: {error}", hint="is it a Prometheus?") from error
        if not isinstance(said, dict) or said.get("status") != "success":
            raise UnansweredError(f"{address} did not answer {path} as a Prometheus does")
        if said.get("warnings"):
            # Servers in front of several stores answer with what they have, and say here what they lack.
            raise UnansweredError(f"{address} answered {path} in part: {said['warnings'][0]}")
        return said.get("data")

    def _parts(self) -> SplitResult:
        try:
            parts = urlsplit(self.url)
        except ValueError:
            parts = SplitResult("", "", "", "", "")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            said = "" if "@" in self.url else f": {self.url!r}"
            raise UsageError(f"not an address of a server{said}", hint="--prometheus http://127.0.0.1:9090")
        return parts

    def _authorization(self) -> str:
        """What the header of that name says; empty without a secret. The address knows better than the environment."""
        parts, token = self._parts(), self.token.strip()
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
        if token and not _BEARER.fullmatch(token):
            raise UsageError("the token has characters that no token has", hint=f"look at {TOKEN}")
        return f"Bearer {token}" if token else ""

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
