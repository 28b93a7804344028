"""`kill`: one replica ends at once, without a chance to say goodbye (SIGKILL; a pod deleted with no grace)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.model.platform import Driver, Identity


class Kill:
    """Seen to bite when that incarnation no longer exists; gone when its successor is ready."""

    title = "killed"
    needs_root = False  # the platform's processes belong to the user who brought it up

    def apply(self, driver: Driver, target: Identity) -> None:
        """End exactly this incarnation."""
        driver.kill(target)

    def bites(self, driver: Driver, target: Identity) -> bool:
        """It no longer exists."""
        return not driver.alive(target)

    def undo(self, driver: Driver, target: Identity) -> None:
        """Ask the platform to run what should run."""
        driver.restore(target.role)

    def gone(self, driver: Driver, target: Identity) -> bool:
        """A replica of the same name is ready: a successor, or the very same one where it was never killed."""
        return any(
            replica.ready and replica.identity.name == target.name and driver.alive(replica.identity)
            for replica in driver.replicas(target.role)
        )


FAULT = Kill()
