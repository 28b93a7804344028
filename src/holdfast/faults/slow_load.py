"""`slow_load`: an engine dies, and its successor takes much longer to load the model: a cold disk, a busy registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.reload import Reload, successor
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Wanted(Options):
    """How slowly."""

    seconds: float = Field(10.0, gt=0, le=60, description="that the load takes longer (s)")


class SlowLoad(Reload):
    """Seen to bite while a successor runs and is not ready. A load that has begun takes its time, whatever comes."""

    title: ClassVar = "slow to load"
    door: ClassVar = "slow-load"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="let the next load of {target} take {seconds} s longer, and end {target} with SIGKILL",
        bites="its successor runs and is not ready",
        undo="ask the platform to run what should run; the next load but one takes its usual time",
        gone="a replica of that name is ready",
    )
    gone_within: ClassVar = 120.0

    def after(self, driver: Driver, strike: Strike, options: Any) -> Sight:  # noqa: ARG002 - nobody tells how long
        """A successor, not ready."""
        now = successor(driver, strike.target)
        loads = now is not None and now.running and not now.ready
        return Sight(loads, f"its successor {'loads' if loads else 'is ready, or there is none yet'}")


FAULT = SlowLoad()
