"""The fault contract: apply, observe, undo, see gone. None of the four may be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from holdfast.model.platform import Driver, Identity


class Fault(Protocol):
    """One way to break one replica. Waiting, limits and the written record are not its business."""

    title: str
    needs_root: bool = False
    """Whether whoever runs it must be root; a fault that does not say so needs none."""

    def apply(self, driver: Driver, target: Identity) -> None:
        """Break it. Raises TargetError when the target is no longer what it was."""

    def bites(self, driver: Driver, target: Identity) -> bool:
        """Whether the fault is seen to be there now."""

    def undo(self, driver: Driver, target: Identity) -> None:
        """Start taking it back; doing so twice, or without a fault, changes nothing."""

    def gone(self, driver: Driver, target: Identity) -> bool:
        """Whether the replica is seen to serve again."""


def needs_root(fault: Fault) -> bool:
    """Whether a fault asks for root, for those too that say nothing of it."""
    return bool(getattr(fault, "needs_root", False))
