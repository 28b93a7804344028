"""What faults have in common that bound a replica by a control group: how it ends, and how it is seen to have ended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from holdfast.faults.base import Fault
from holdfast.faults.ways import guest
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight
from holdfast.model.hands import Groups

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Confined(Fault):
    """The group goes by the strike's id, and what is in it goes back to where it was."""

    family: ClassVar = "resource"
    needs: ClassVar = ("root",)

    def renew(self, driver: Driver, strike: Strike) -> None:
        """Guests in the group end by themselves a lease after this."""
        driver.hand(Groups).prolong(strike.id)

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Take the group away, and have run what should run."""
        driver.hand(Groups).dissolve(strike.id)
        driver.restore(strike.target.role)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """No such group, and a replica of that name serves."""
        if driver.hand(Groups).census(strike.id) is not None:
            return Sight(False, "its group is still there")
        return ready_again(driver, strike.target)


def guest_words(kind: str, lease: float, size: int = 0) -> tuple[str, ...]:
    """The command of a guest that `Groups.invite` starts: "burn", or "hold" so many bytes."""
    return (sys.executable, "-SE", str(Path(guest.__file__)), kind, f"{lease:g}", str(size))
