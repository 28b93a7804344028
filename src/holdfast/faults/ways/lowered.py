"""What faults have in common that lower a limit of each process of a replica: the old limits are noted first."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from holdfast.errors import TargetError
from holdfast.faults.base import Fault
from holdfast.faults.ways import notes
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight
from holdfast.model.hands import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


class Lowered(Fault):
    """A successor starts with limits of its own, so that nothing is left to undo when the target ends."""

    family: ClassVar = "resource"
    kind: ClassVar[str]
    """Which limit: see `model.hands.Limits`."""

    @abstractmethod
    def lower(self, driver: Driver, strike: Strike) -> Mapping[str, int]:
        """The new limit of each process. Raises TargetError when this target cannot be struck."""

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Note the old limits, set the new ones."""
        limits = driver.hand(Limits)
        before, after = limits.limits(strike.target, self.kind), self.lower(driver, strike)
        if not before:
            raise TargetError(f"{strike.target.name} {strike.target.unit} no longer exists")
        notes.keep(driver, strike, before)
        limits.set_limits(strike.target, self.kind, after)

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Set what was noted."""
        before = notes.find(driver, strike)
        if before is not None:
            driver.hand(Limits).set_limits(strike.target, self.kind, before)
            notes.drop(driver, strike)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """Nothing is noted, and a replica of that name serves."""
        if notes.find(driver, strike) is not None:
            return Sight(False, "its old limits are not set again")
        return ready_again(driver, strike.target)
