"""`crash_loop`: one replica dies again each time it is back (SIGKILL), for as long as the fault is held."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.faults.base import Fault
from holdfast.faults.ways import killer, notes
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight, Words
from holdfast.model.platform import Identity
from holdfast.platforms import sidecars

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_ENOUGH: Final = 2
"""Deaths that make a loop."""


class CrashLoop(Fault):
    """A process of ours kills: it ends with its lease, by an alarm of the kernel's."""

    title: ClassVar = "crashing again and again"
    family: ClassVar = "process"
    words: ClassVar = Words(
        apply="start a process that ends {target}, and every successor as soon as it runs, with SIGKILL",
        bites="two incarnations at least were killed, none of them exists, and no replica of that name is ready",
        undo="end that process, and ask the platform to run what should run",
        gone="that process is gone, and a replica of that name is ready",
    )
    bites_within: ClassVar = 15.0

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Kill exactly this incarnation, then have its successors killed."""
        driver.kill(strike.target)
        notes.keep(driver, strike, {"killed": []})
        target = strike.target
        words = (driver.address, strike.id, target.role, target.name, f"{strike.lease:g}")
        sidecars.start(strike.id, (sys.executable, "-m", killer.__name__, *words))

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """It came back and died again."""
        target, note = strike.target, notes.find(driver, strike) or {"killed": []}
        units = [target.unit, *note["killed"]]
        dead = [one for one in units if not driver.alive(Identity(name=target.name, role=target.role, unit=one))]
        ready = ready_again(driver, target).seen
        detail = f"{len(dead)} of {len(units)} incarnations are dead, {target.name} is {'' if ready else 'not '}ready"
        return Sight(len(dead) == len(units) >= _ENOUGH and not ready, detail)

    def renew(self, driver: Driver, strike: Strike) -> None:  # noqa: ARG002 - its process is on our machine
        """Let the process go on."""
        sidecars.renew(strike.id)

    def undo(self, driver: Driver, strike: Strike) -> None:
        """The process first: it would kill what comes back."""
        sidecars.end(strike.id)
        notes.drop(driver, strike)
        driver.restore(strike.target.role)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """Nobody kills, and it serves."""
        if sidecars.of(strike.id):
            return Sight(False, "what kills it still runs")
        return ready_again(driver, strike.target)


FAULT = CrashLoop()
