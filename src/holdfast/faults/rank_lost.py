"""`rank_lost`: one tensor-parallel rank (on a simulated device, here) is gone, and the others wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.engine import EngineFault, no_step
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.faults.ways.engine import Engine

_LOST: Final = 79


class Wanted(Options):
    """How."""

    rank: int = Field(0, ge=0, le=63, description="which rank, from 0")
    timeout: float = Field(3.0, ge=0, le=3600, description="until the others give up (s); vLLM waits 300 s")


class RankLost(EngineFault):
    """Seen to bite when the device is lost, and no token is made; or requests are refused, once the others gave up."""

    title: ClassVar = "short of a rank"
    door: ClassVar = "rank-lost"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="lose rank {rank} of {target}; the others give up after {timeout} s",
        bites="the device reports XID 79, and a request of our own gets no token or status 500",
        undo="end it at the engine's door",
        gone="the door has it no longer, and an answer of our own is whole",
    )

    def effect(self, engine: Engine, options: Wanted, told: dict[str, Any]) -> Sight:  # noqa: ARG002 - seen at the engine
        """The device is lost, and nothing moves."""
        code = engine.gpu("DCGM_FI_DEV_XID_ERRORS", options.rank)
        if code != _LOST:
            return Sight(False, f"XID {code:g}")
        still = no_step(engine)
        return Sight(still.seen, f"XID {code:g}, {still.detail}")


FAULT = RankLost()
