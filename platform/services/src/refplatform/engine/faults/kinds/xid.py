"""The driver reports an XID error; most of them end every process on that GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from refplatform.engine.faults.fault import EngineFault, Gpu, parameter

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State

HARMLESS: Final = frozenset({63, 64, 92})
"""These are reports: no process ends by them."""


class Xid(EngineFault):
    """One XID of this code. After 63, 64 and 92 work goes on; after every other the engine's core is dead."""

    client: ClassVar[str] = "500 (EngineDeadError) to every request, 503 at /health; after 63, 64 and 92 nothing"
    metrics: ClassVar[str] = (
        "DCGM_FI_DEV_XID_ERRORS is the code, DCGM_EXP_XID_ERRORS_COUNT has one more; after 79 the device's other "
        "series are gone"
    )
    end: ClassVar[str] = "as after a reset of the device and a restart of the engine: code 0, requests are served"

    gpu: Gpu = parameter(0, "place of the device, from 0", unit="number")
    code: Literal[13, 31, 43, 48, 62, 63, 64, 74, 79, 92, 94, 95, 119, 120] = parameter(
        79, "79: fallen off the bus, 48: double-bit ECC error, 13 and 31: a fault of the program", unit="XID"
    )

    def bend(self, state: State, moment: Moment) -> None:
        """Report it once."""
        state.xids[moment.fault, self.gpu] = self.code
        if self.code not in HARMLESS:
            state.halted = True
            state.dead = f"CUDA error on rank {self.gpu} (XID {self.code})"
