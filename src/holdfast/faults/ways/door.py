"""The admin door of an engine that has faults when it is asked to: begin one by the strike's name, renew it, end it.

The fault bears the strike's id at the door, so whoever read the strike can end it, and cannot end another one.
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from holdfast.errors import TargetError
from holdfast.model.hands import Doors, Places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver, Identity

_ANSWER: Final = 2.0
"""Seconds for an answer; the door has a thread of its own, whatever the engine does."""
_BEGUN: Final = 201
_OK: Final = 200


def begin(driver: Driver, strike: Strike, fault: str, parameters: Mapping[str, Any], pick: Mapping[str, Any]) -> None:
    """Have the fault, for the strike's lease. Raises TargetError with what the door says against it."""
    wish = {"fault": fault, "id": strike.id, "lease": strike.lease, "parameters": parameters, "pick": pick}
    try:
        status, told = _ask(driver, strike.target, "POST", "/faults", wish)
    except OSError as error:
        raise TargetError(f"the door of {strike.target.name} does not open: {error}") from error
    if status != _BEGUN:
        raise TargetError(
            f"{strike.target.name} will not have {fault}: {'; '.join(map(str, told.get('problems', ())))}"
        )


def renew(driver: Driver, strike: Strike) -> None:
    """From now on it lasts for another lease; one that is over stays over."""
    with _Unless():
        _ask(driver, strike.target, "PUT", f"/faults/{strike.id}", {"lease": strike.lease})


def end(driver: Driver, strike: Strike) -> None:
    """End it. Where nobody is, nothing is: an engine keeps no fault beyond its process, or beyond the lease."""
    with _Unless():
        _ask(driver, strike.target, "DELETE", f"/faults/{strike.id}")


def told(driver: Driver, strike: Strike) -> dict[str, Any]:
    """What the door says of this strike on its target; empty when it knows none. Raises OSError when it is shut."""
    status, found = _ask(driver, strike.target, "GET", f"/faults/{strike.id}")
    return found if status == _OK else {}


def api(driver: Driver, target: Identity) -> str:
    """Base URL of the API that this engine itself serves. Raises TargetError."""
    door = urlsplit(driver.hand(Doors).door(target).url)
    port = next((one for one in driver.hand(Places).ports(target) if one != door.port), None)
    if port is None:
        raise TargetError(f"nobody knows where {target.name} serves its API")
    return f"{door.scheme}://{door.hostname}:{port}"


class _Unless:
    """Lets pass that the door is shut, or that the platform no longer knows it."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, (OSError, TargetError))


def _ask(
    driver: Driver, target: Identity, method: str, path: str, body: Mapping[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    """Raises OSError when nobody answers in time."""
    door = driver.hand(Doors).door(target)
    connection = http.client.HTTPConnection(urlsplit(door.url).netloc, timeout=_ANSWER)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"authorization": f"Bearer {door.token}"})
        response = connection.getresponse()
        found = json.loads(response.read())
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"{door.url} answers nonsense: {error}") from error
    finally:
        connection.close()
    return response.status, found if isinstance(found, dict) else {}
