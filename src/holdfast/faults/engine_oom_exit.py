"""`engine_oom_exit`: an engine dies for want of memory, by its own hand: one line in its log, then SIGKILL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.reload import Reload
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Wanted(Options):
    """When."""

    delay: float = Field(0.2, ge=0.05, le=30, description="until it dies (s)")


class EngineOomExit(Reload):
    """Seen to bite when that incarnation no longer exists; gone when its successor is ready."""

    title: ClassVar = "out of memory"
    door: ClassVar = "oom-exit"
    Options: ClassVar[type[Options]] = Wanted
    words: ClassVar = Words(
        apply="let {target} run out of memory and kill itself {delay} s later",
        bites="that incarnation no longer exists",
        undo="end it at the engine's door, and ask the platform to run what should run",
        gone="a replica of that name is ready",
    )
    ends_itself: ClassVar = True

    def after(self, driver: Driver, strike: Strike, options: Any) -> Sight:  # noqa: ARG002 - its end is all
        """There is nothing more to see."""
        return Sight(True, f"{strike.target.unit} no longer exists")


FAULT = EngineOomExit()
