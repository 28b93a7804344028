"""The engine's core is dead while its API says that it is well, until somebody notices: vLLM's own gray failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import EngineFault, parameter

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class CoreDead(EngineFault):
    """No step ends any more. Undetected, requests are taken and /health says 200; detected, both are refused."""

    client: ClassVar[str] = (
        "status 200 at /health, requests are taken, no token comes. Once detected: 500 (EngineDeadError) to every "
        "request, an error event in streams under way, and 503 at /health"
    )
    metrics: ClassVar[str] = "vllm:generation_tokens_total stands, vllm:num_requests_waiting only grows"
    end: ClassVar[str] = "requests under way go on if it was not detected; new ones are served"

    detected: float | None = parameter(None, "after which the API notices; none: never", unit="s", least=0, most=3600)

    def bend(self, state: State, moment: Moment) -> None:
        """Halt, and perhaps say so."""
        state.halted = True
        if self.detected is not None and moment.elapsed >= self.detected:
            state.dead = "EngineCore encountered an issue"
