"""`down`: one replica ends at once, and nothing brings it back while the fault lasts: a dependency that is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from holdfast.faults.base import Fault
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Supervision

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Down(Fault):
    """Seen to bite when neither that incarnation nor a successor runs."""

    title: ClassVar = "down"
    family: ClassVar = "dependency"
    words: ClassVar = Words(
        apply="tell the platform not to run {target} any more, and end it with SIGKILL",
        bites="that incarnation no longer exists, and no other has its place",
        undo="tell the platform to run {target} again",
        gone="a replica of that name is ready",
    )

    def apply(self, driver: Driver, strike: Strike) -> None:
        """End exactly this incarnation, for good."""
        driver.hand(Supervision).halt(strike.target)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Its place is empty."""
        name, alive = strike.target.name, driver.alive(strike.target)
        place = [one for one in driver.replicas(strike.target.role) if one.identity.name == name]
        told = f"{strike.target.unit} {'still runs' if alive else 'no longer exists'}"
        if alive or not place:
            return Sight(False, told)
        runs = any(one.running for one in place)
        return Sight(not runs, f"{told}, {name} {'is back' if runs else 'does not run'}")

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Let the replica of that name run."""
        driver.hand(Supervision).resume(strike.target)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """A replica of the same name is ready."""
        return ready_again(driver, strike.target)


FAULT = Down()
