"""One tensor-parallel rank is gone: the others wait for it in a collective operation until their patience ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import EngineFault, Gpu, parameter

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class RankLost(EngineFault):
    """Steps stall for `timeout`, then the core is dead; the device of the rank is no longer seen (XID 79)."""

    client: ClassVar[str] = (
        "no token for `timeout`, with 200 at /health; then an error event in streams under way, 500 (EngineDeadError) "
        "to every request, and 503 at /health"
    )
    metrics: ClassVar[str] = "the device's series are gone but DCGM_FI_DEV_XID_ERRORS 79; tokens stand"
    end: ClassVar[str] = "as after a restart with all ranks: requests are served, the device is seen"

    rank: Gpu = parameter(0, "which rank, from 0", unit="number")
    timeout: float = parameter(10.0, "until the others give up (vLLM waits 300 s)", unit="s", least=0, most=3600)

    def bend(self, state: State, moment: Moment) -> None:
        """Stall, then die."""
        state.xids[moment.fault, self.rank] = 79
        state.halted = True
        if moment.elapsed >= self.timeout:
            state.dead = f"RPC call to execute_model timed out: rank {self.rank} does not answer"
