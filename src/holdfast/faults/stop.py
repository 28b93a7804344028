"""`stop`: one replica stands still (SIGSTOP): it holds its connections and answers nothing, until it is continued."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, ClassVar

from holdfast.errors import TargetError
from holdfast.faults.base import Fault
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Processes

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Stop(Fault):
    """Seen to bite when the kernel says that every one of its processes is stopped."""

    title: ClassVar = "standing still"
    family: ClassVar = "process"
    words: ClassVar = Words(
        apply="send SIGSTOP to {target} and all that it started",
        bites="the kernel says that each of its processes is stopped (state T)",
        undo="send SIGCONT to the same processes",
        gone="none of them is stopped, and a replica of that name is ready",
    )

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Stop exactly this incarnation."""
        driver.hand(Processes).signal(strike.target, signal.SIGSTOP)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """All of them are in state T."""
        states = driver.hand(Processes).states(strike.target)
        return Sight(bool(states) and set(states) == {"T"}, f"states {' '.join(states) or 'none: it is gone'}")

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Continue it; an incarnation that is gone needs none."""
        try:
            driver.hand(Processes).signal(strike.target, signal.SIGCONT)
        except TargetError:
            return

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """It runs and serves."""
        if "T" in driver.hand(Processes).states(strike.target):
            return Sight(False, "still stopped")
        return ready_again(driver, strike.target)


FAULT = Stop()
