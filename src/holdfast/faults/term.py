"""`term`: one replica is asked to end (SIGTERM; a pod deleted with its grace): it may finish what it has begun."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, ClassVar

from holdfast.faults.base import Fault
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Processes

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Term(Fault):
    """Seen to bite when it has ended; how long it may drain before that is its own affair, within the tolerance."""

    title: ClassVar = "asked to end"
    family: ClassVar = "process"
    words: ClassVar = Words(
        apply="send SIGTERM to {target} and all that it started",
        bites="that incarnation no longer exists",
        undo="ask the platform to run what should run",
        gone="a replica of that name is ready",
    )
    bites_within: ClassVar = 15.0

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Ask exactly this incarnation."""
        driver.hand(Processes).signal(strike.target, signal.SIGTERM)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """It has ended."""
        alive = driver.alive(strike.target)
        return Sight(not alive, f"{strike.target.unit} {'still runs' if alive else 'has ended'}")

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Ask the platform to run what should run."""
        driver.restore(strike.target.role)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """A replica of the same name is ready: a successor, or one that never took any notice."""
        return ready_again(driver, strike.target)


FAULT = Term()
