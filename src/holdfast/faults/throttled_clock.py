"""`throttled_clock`: a GPU (a simulated one, here) lowers its clock, and every step takes longer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.engine import EngineFault
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.faults.ways.engine import Engine

_REASONS: Final = "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"
_THERMAL: Final = 0x20


class Wanted(Options):
    """How."""

    gpu: int = Field(0, ge=0, le=63, description="place of the device, from 0")
    factor: float = Field(0.5, ge=0.05, lt=1, description="of the clock that is left")


class ThrottledClock(EngineFault):
    """Seen to bite when the device says that it is slowed for its heat."""

    title: ClassVar = "throttled"
    door: ClassVar = "throttled-clock"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="run device {gpu} of {target} at {factor} of its clock",
        bites="DCGM_FI_DEV_CLOCKS_EVENT_REASONS has the bit 0x20, and its clock is not zero",
        undo="end it at the engine's door",
        gone="the bit is gone, and an answer of our own is whole",
    )

    def effect(self, engine: Engine, options: Wanted, told: dict[str, Any]) -> Sight:  # noqa: ARG002 - seen at the engine
        """The driver gives the reason."""
        reasons, clock = (engine.gpu(name, options.gpu) for name in (_REASONS, "DCGM_FI_DEV_SM_CLOCK"))
        slowed = math.isfinite(reasons) and bool(int(reasons) & _THERMAL)
        return Sight(slowed, f"clock {clock:g} MHz, reasons {reasons:g}")

    def well(self, engine: Engine, options: Wanted) -> Sight:
        """Not slowed any more, and answers are whole."""
        slowed = self.effect(engine, options, {})
        return Sight(False, slowed.detail) if slowed.seen else super().well(engine, options)


FAULT = ThrottledClock()
