"""`xid`: the driver of a GPU (a simulated one, here) reports an XID error; most of them end the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.engine import EngineFault
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.faults.ways.engine import Engine

_REPORTS: Final = frozenset({63, 64, 92})
_DEAD: Final = 500


class Wanted(Options):
    """How."""

    gpu: int = Field(0, ge=0, le=63, description="place of the device, from 0")
    code: Literal[13, 31, 43, 48, 62, 63, 64, 74, 79, 92, 94, 95, 119, 120] = Field(
        79, description="79: fallen off the bus, 48: double-bit ECC error, 63, 64 and 92: reports alone"
    )


class Xid(EngineFault):
    """Seen to bite when the device reports the code, and the engine refuses as it must after it."""

    title: ClassVar = "with an XID error"
    door: ClassVar = "xid"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="let device {gpu} of {target} report XID {code}",
        bites="DCGM_FI_DEV_XID_ERRORS is the code, and requests are answered with 500 unless the code is a mere report",
        undo="end it at the engine's door",
        gone="the door has it no longer, and an answer of our own is whole",
    )

    def effect(self, engine: Engine, options: Wanted, told: dict[str, Any]) -> Sight:  # noqa: ARG002 - seen at the engine
        """The device says it, and the engine lives or does not."""
        code = engine.gpu("DCGM_FI_DEV_XID_ERRORS", options.gpu)
        if code != options.code or options.code in _REPORTS:
            return Sight(code == options.code, f"XID {code:g}")
        heard = engine.chat()
        return Sight(heard.status == _DEAD, f"XID {code:g}, an answer has {heard}")


FAULT = Xid()
