"""`core_dead`: the engine's core makes no step any more, while its API takes requests and says that it is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.engine import EngineFault, no_step
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.faults.ways.engine import Engine


class Wanted(Options):
    """How."""

    detected: float | None = Field(None, ge=0, le=3600, description="after which the API notices (s); none: never")


class CoreDead(EngineFault):
    """Seen to bite when a request of our own waits, and no token is made for anybody; or when the API has found out."""

    title: ClassVar = "dead inside"
    door: ClassVar = "core-dead"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="halt the core of {target}",
        bites="a request of our own gets no token for 1.5 s, and none is made for anybody; or status 500",
        undo="end it at the engine's door",
        gone="the door has it no longer, and an answer of our own is whole",
    )

    def effect(self, engine: Engine, options: Wanted, told: dict[str, Any]) -> Sight:  # noqa: ARG002 - seen at the engine
        """No token for us, none for anybody."""
        return no_step(engine)


FAULT = CoreDead()
