"""`file_limit`: one replica can write no file any more (RLIMIT_FSIZE): as on a full disk, which nobody else shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.errors import TargetError
from holdfast.faults.base import Options
from holdfast.faults.ways.lowered import Lowered
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Size(Options):
    """How large a file may be."""

    kibibytes: int = Field(default=0, ge=0, le=1 << 20, description="Up to which size files may still be written, KiB.")


class FileLimit(Lowered):
    """The error is EFBIG, "File too large", where a full disk says ENOSPC; no file is touched, no disk is filled."""

    title: ClassVar = "unable to write files"
    kind: ClassVar = "size"
    words: ClassVar = Words(
        apply="let no process of {target} write beyond {kibibytes} KiB of any file (RLIMIT_FSIZE)",
        bites="the kernel refuses each of its processes any write beyond that",
        undo="set the limits that it had",
        gone="they are set, and a replica of that name is ready",
    )
    Options: ClassVar = Size

    def lower(self, driver: Driver, strike: Strike) -> Mapping[str, int]:
        """Raises TargetError for a program that such a write would kill: that is another fault."""
        limits = driver.hand(Limits)
        if not limits.bears_size(strike.target):
            raise TargetError(f"{strike.target.name} does not ignore SIGXFSZ: a write would end it, not fail")
        size = self.read(strike.options).kibibytes * 1024
        return dict.fromkeys(limits.limits(strike.target, self.kind), size)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """What the kernel enforces on each of its processes."""
        allowed = driver.hand(Limits).limits(strike.target, self.kind)
        size = self.read(strike.options).kibibytes * 1024
        detail = ", ".join(
            f"files of at most {one} bytes" if one >= 0 else "files of any size" for one in allowed.values()
        )
        return Sight(bool(allowed) and all(0 <= one <= size for one in allowed.values()), detail or "it is gone")


FAULT = FileLimit()
