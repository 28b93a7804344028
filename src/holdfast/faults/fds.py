"""`fds`: one replica may open no more files and take no more connections: it has as many as it may have (EMFILE)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.faults.base import Options
from holdfast.faults.ways.lowered import Lowered
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Left(Options):
    """How many are left."""

    left: int = Field(default=0, ge=0, le=1024, description="Files and connections that it may still open.")


class Fds(Lowered):
    """What is open stays open; whatever closes makes room for one more."""

    title: ClassVar = "out of file descriptors"
    kind: ClassVar = "files"
    words: ClassVar = Words(
        apply="lower the limit of open files of {target} (RLIMIT_NOFILE) to those that it has and {left} more",
        bites="each of its processes uses every descriptor below its limit: the kernel gives it no other",
        undo="set the limits that it had",
        gone="they are set, and a replica of that name is ready",
    )
    Options: ClassVar = Left
    bites_within: ClassVar = 10.0

    def lower(self, driver: Driver, strike: Strike) -> Mapping[str, int]:
        """The lowest number that is free now is the first that may not be had."""
        left = self.read(strike.options).left
        return {name: number + left for name, number in driver.hand(Limits).free_number(strike.target).items()}

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """No number below the limit is free."""
        limits = driver.hand(Limits)
        free, allowed = limits.free_number(strike.target), limits.limits(strike.target, self.kind)
        full = {name: 0 <= allowed[name] <= free[name] for name in free if name in allowed}
        detail = ", ".join(f"next free descriptor {free[name]}, limit {allowed[name]}" for name in full)
        return Sight(bool(full) and all(full.values()), detail or "it is gone")


FAULT = Fds()
