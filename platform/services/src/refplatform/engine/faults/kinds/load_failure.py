"""The next load of the model fails: damaged weights, no memory, a driver that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import LoadFault

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class LoadFailure(LoadFault):
    """A start during the lease ends with exit status 1; a wake-up is answered with 500, and the engine sleeps on."""

    client: ClassVar[str] = "connections are refused for as long as every start fails; POST /wake_up answers 500"
    metrics: ClassVar[str] = "no scrape succeeds; an engine that sleeps says so in vllm:engine_sleep_state"
    end: ClassVar[str] = "later loads succeed; the file beside the engine is removed, or too old"

    def bend(self, state: State, moment: Moment) -> None:
        """Make the next load fail."""
        state.load_fails = True
        state.load_until = max(state.load_until, moment.until)
