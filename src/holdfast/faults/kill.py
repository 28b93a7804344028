"""`kill`: one replica ends at once, without a chance to say goodbye (SIGKILL; a pod deleted with no grace)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from holdfast.faults.base import Fault
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Kill(Fault):
    """Seen to bite when that incarnation no longer exists; gone when its successor is ready."""

    title: ClassVar = "killed"
    family: ClassVar = "process"
    words: ClassVar = Words(
        apply="end {target} and all that it started with SIGKILL",
        bites="that incarnation no longer exists",
        undo="ask the platform to run what should run",
        gone="a replica of that name is ready",
    )

    def apply(self, driver: Driver, strike: Strike) -> None:
        """End exactly this incarnation."""
        driver.kill(strike.target)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """It no longer exists."""
        alive = driver.alive(strike.target)
        return Sight(not alive, f"{strike.target.unit} {'still runs' if alive else 'no longer exists'}")

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Ask the platform to run what should run."""
        driver.restore(strike.target.role)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """A replica of the same name is ready: a successor, or the very same one where it was never killed."""
        return ready_again(driver, strike.target)


FAULT = Kill()
