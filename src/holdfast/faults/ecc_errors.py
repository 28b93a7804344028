"""`ecc_errors`: the memory of a GPU (a simulated one, here) has ECC errors, and more of them with time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.engine import EngineFault
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.faults.ways.engine import Engine

_LOOK: Final = 1.0
"""Seconds: at the lowest rate two errors come in it."""


class Wanted(Options):
    """How."""

    gpu: int = Field(0, ge=0, le=63, description="place of the device, from 0")
    kind: Literal["sbe", "dbe"] = Field("sbe", description="corrected (single bit) or uncorrected (double bit)")
    rate: float = Field(10.0, ge=2, le=10**6, description="of errors (1/s)")


class EccErrors(EngineFault):
    """Seen to bite when the counter of the device rises while we look."""

    title: ClassVar = "with ECC errors"
    door: ClassVar = "ecc-errors"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="let device {gpu} of {target} count {rate} ECC errors a second",
        bites="the counter of the device rises",
        undo="end it at the engine's door",
        gone="the counter stands, and an answer of our own is whole",
    )

    def effect(self, engine: Engine, options: Wanted, told: dict[str, Any]) -> Sight:  # noqa: ARG002 - seen at the engine
        """More than there were just now."""
        rose = _rise(engine, options)
        return Sight(rose > 0, f"{rose:g} more ECC errors in {_LOOK:g} s")

    def well(self, engine: Engine, options: Wanted) -> Sight:
        """No more of them, and answers are whole."""
        rose = _rise(engine, options)
        return super().well(engine, options) if rose == 0 else Sight(False, f"{rose:g} more ECC errors")


def _rise(engine: Engine, options: Wanted) -> float:
    name = f"DCGM_FI_DEV_ECC_{options.kind.upper()}_VOL_TOTAL"
    before = engine.gpu(name, options.gpu)
    time.sleep(_LOOK)
    return engine.gpu(name, options.gpu) - before


FAULT = EccErrors()
