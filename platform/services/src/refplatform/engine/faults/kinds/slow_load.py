"""The next load of the model takes longer: a cold disk, a busy registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import LoadFault, parameter

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class SlowLoad(LoadFault):
    """A start or a wake-up during the lease takes so much longer; one that has begun takes its time, whatever comes."""

    client: ClassVar[str] = "after a restart connections are refused for longer; POST /wake_up answers late"
    metrics: ClassVar[str] = "no scrape succeeds while it loads; vllm:engine_sleep_state stays until it is awake"
    end: ClassVar[str] = "later loads take their usual time; the file beside the engine is removed, or too old"

    seconds: float = parameter(10.0, "longer", unit="s", least=0, most=600)

    def bend(self, state: State, moment: Moment) -> None:
        """Make the next load longer."""
        state.load_seconds += self.seconds
        state.load_until = max(state.load_until, moment.until)
