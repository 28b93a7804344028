"""`engine_hang`: the engine's event loop stands still: connections are taken, and nobody reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.faults.ways.engine import EngineFault
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.faults.base import Options
    from holdfast.faults.ways.engine import Engine


class EngineHang(EngineFault):
    """Seen to bite when /health gets no answer for a second."""

    title: ClassVar = "hanging"
    door: ClassVar = "hang"
    words: ClassVar = Words(
        apply="stop the event loop of {target}",
        bites="/health takes the connection and does not answer for a second",
        undo="end it at the engine's door",
        gone="the door has it no longer, and an answer of our own is whole",
    )

    def effect(self, engine: Engine, options: Options, told: dict[str, Any]) -> Sight:  # noqa: ARG002 - seen at the engine
        """Silence at the simplest path."""
        status = engine.health(wait=1.0)
        return Sight(status is None, "/health is silent" if status is None else f"/health answers {status}")


FAULT = EngineHang()
