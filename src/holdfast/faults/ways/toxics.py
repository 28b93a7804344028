"""An engine without a door: its answers are broken by the fault proxy on the way that clients take, as by its own door.

The toxic bears the strike's name and lease; what it met is counted at the proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.errors import InfrastructureError, TargetError
from holdfast.faults.ways import links
from holdfast.model.hands import Links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver, Identity

_OK = 200


def begin(driver: Driver, strike: Strike, fault: str, parameters: Mapping[str, Any], pick: Mapping[str, Any]) -> None:
    """Have the fault, for the strike's lease. Raises TargetError with what the proxy says against it."""
    if not driver.alive(strike.target):
        raise TargetError(f"{strike.target.name} {strike.target.unit} is no longer what it was")
    own = {"name": links.mark(strike), "type": fault.replace("-", "_"), "lease": strike.lease}
    link = driver.hand(Links).link(strike.target)
    links.demand(link, "POST", "/toxics", {**own, "attributes": {**parameters, "pick": dict(pick)}})


def renew(driver: Driver, strike: Strike) -> None:
    """From now on it lasts for another lease; one that is over stays over."""
    link = driver.hand(Links).link(strike.target)
    links.call(link, "PATCH", f"/toxics/{links.mark(strike)}", {"lease": strike.lease})


def end(driver: Driver, strike: Strike) -> None:
    """Take it away; a proxy that does not answer has lost it, or loses it with its lease."""
    link = driver.hand(Links).link(strike.target)
    try:
        links.call(link, "DELETE", f"/toxics/{links.mark(strike)}")
    except InfrastructureError:
        return


def told(driver: Driver, strike: Strike) -> dict[str, Any]:
    """What the proxy says of this strike: requests matched, picked, struck; empty when it knows none.

    Raises InfrastructureError when it does not answer.
    """
    status, found = links.call(driver.hand(Links).link(strike.target), "GET", f"/toxics/{links.mark(strike)}")
    return {**found, "active": True} if status == _OK else {}


def api(driver: Driver, target: Identity) -> str:
    """Base URL of the engine's API as its clients know it: through the proxy."""
    host, port = links.way(driver.hand(Links).link(target)).through
    return f"http://{host}:{port}"
