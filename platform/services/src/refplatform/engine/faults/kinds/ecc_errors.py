"""The memory of a GPU has ECC errors, and more of them with time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from refplatform.engine.faults.fault import EngineFault, Gpu, parameter

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class EccErrors(EngineFault):
    """Errors are counted at this rate, the first at once. What an uncorrected one does to the engine is `xid` 48."""

    client: ClassVar[str] = "nothing: what warns before a failure"
    metrics: ClassVar[str] = "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL (or _DBE_) and _AGG_ rise"
    end: ClassVar[str] = "the counters stand; they do not fall, as those of a driver do not"

    gpu: Gpu = parameter(0, "place of the device, from 0", unit="number")
    kind: Literal["sbe", "dbe"] = parameter("sbe", "corrected (single bit) or uncorrected (double bit)", unit="kind")
    rate: float = parameter(10.0, "of errors", unit="1/s", least=0, most=10**6)

    def bend(self, state: State, moment: Moment) -> None:
        """Say how many there are by now."""
        state.memory_errors[moment.fault, self.gpu, self.kind] = 1 + int(self.rate * moment.elapsed)
