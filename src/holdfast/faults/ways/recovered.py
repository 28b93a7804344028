"""What most faults are gone by: a replica of the struck one's name is ready again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.model.fault import Sight

if TYPE_CHECKING:
    from holdfast.model.platform import Driver, Identity


def ready_again(driver: Driver, target: Identity) -> Sight:
    """Whether a replica of that name is ready and really runs."""
    for replica in driver.replicas(target.role):
        if replica.identity.name == target.name:
            ready = replica.ready and driver.alive(replica.identity)
            return Sight(ready, f"{target.name} is {'ready' if ready else replica.detail or 'not ready'}")
    return Sight(False, f"there is no {target.name}")
