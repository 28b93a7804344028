"""A GPU lowers its clock, for heat or for power, and everything on it takes longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import EngineFault, Gpu, parameter

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class ThrottledClock(EngineFault):
    """One device runs at a share of its clock. All ranks wait for the slowest: every step takes so much longer."""

    client: ClassVar[str] = "longer time to first token, longer gaps, for everybody"
    metrics: ClassVar[str] = (
        "DCGM_FI_DEV_SM_CLOCK falls, DCGM_FI_DEV_CLOCKS_EVENT_REASONS has the bit 0x20 (thermal), "
        "DCGM_FI_DEV_THERMAL_VIOLATION rises; vllm:inter_token_latency_seconds moves up"
    )
    end: ClassVar[str] = "the clock is back at the next step"

    gpu: Gpu = parameter(0, "place of the device, from 0", unit="number")
    factor: float = parameter(0.5, "of the clock that is left", unit="share", least=0.05, most=1)

    def bend(self, state: State, _moment: Moment) -> None:
        """Lower the clock; the slowest device decides the step."""
        state.clocks[self.gpu] = state.clocks.get(self.gpu, 1.0) * self.factor
        state.step_factor = max(state.step_factor, 1 / min(state.clocks.values()))
