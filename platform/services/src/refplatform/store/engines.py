"""Takes running engines along to another version, one after the other, and all of them back when one refuses."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from refplatform.store.reference import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from refplatform.store.manifest import Manifest

PATH: Final = "/admin/model"
OK: Final = 200


class EngineRefusedError(StoreError):
    """An engine does not take the version; it serves what it served before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What becomes of requests under way; seconds to wait for them, for an engine's answer, and between two engines.

    The last gives a gateway the time to come back to an engine that asked to be left alone before the next one does.
    """

    in_flight: str = "wait"
    wait_seconds: float = 30.0
    patience: float = 600.0
    between: float = 2.0


def take_along(manifest: Manifest, urls: Sequence[str], way: Way, tell: Callable[[str], None]) -> None:
    """Every engine serves this version, or each what it served before. Raises EngineRefusedError, and OSError."""
    before = [(url, _serving(url)) for url in urls]
    done: list[tuple[str, str]] = []
    try:
        for number, (url, served) in enumerate(before):
            time.sleep(way.between if number else 0.0)
            told = _switch(url, f"{manifest.name}@{manifest.version}", way, digest=manifest.digest)
            done.append((url, f"{served['name']}@{served['version']}"))
            tell(f"{url} serves {manifest.name}@{manifest.version}{_took(told)}")
    except (StoreError, OSError):
        for url, version in reversed(done):
            _take_back(url, version, way, tell)
        raise


def _take_back(url: str, version: str, way: Way, tell: Callable[[str], None]) -> None:
    try:
        _switch(url, version, way)
    except (StoreError, OSError) as error:
        tell(f"{url} could not be taken back to {version}: {error}")
    else:
        tell(f"{url} serves {version} again")


def _took(told: dict[str, Any]) -> str:
    if not told["changed"]:
        return " already"
    return f" after {told['seconds']:.1f} s, {told['paused_seconds']:.1f} of which it took nobody"


def _serving(url: str) -> dict[str, Any]:
    return _ask(url, "GET", None, 10.0)


def _switch(url: str, model: str, way: Way, **more: str) -> dict[str, Any]:
    body = {"model": model, "in_flight": way.in_flight, "wait_seconds": way.wait_seconds, **more}
    return _ask(url, "POST", json.dumps(body), way.patience)


def _ask(url: str, method: str, body: str | None, timeout: float) -> dict[str, Any]:
    """What the engine answers. Raises EngineRefusedError for anything but a 200, OSError for who does not answer."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise StoreError(f"{url!r} is no address of an engine, such as http://127.0.0.1:8000")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    try:
        connection.request(method, PATH, body, {"content-type": "application/json"})
        reply = connection.getresponse()
        content = reply.read()
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), url) from error
    except http.client.HTTPException as error:
        raise OSError(None, f"no answer that is HTTP: {error!r}", url) from error
    finally:
        connection.close()
    return _read(url, reply.status, content)


def _read(url: str, status: int, content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
        if status == OK:
            return dict(told)
        why = told["error"]["message"] if "error" in told else told["detail"]
    except (ValueError, KeyError, TypeError) as error:
        raise EngineRefusedError(f"{url}: answered {status} with {content[:80]!r}, as no engine does") from error
    raise EngineRefusedError(f"{url}: {why}")
