"""Faults that end an engine and are about the next one: told at its door before it dies, seen in what comes after."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.errors import TargetError
from holdfast.faults.ways import door
from holdfast.faults.ways.engine import EngineFault
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight

if TYPE_CHECKING:
    from holdfast.faults.ways.engine import Engine
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver, Identity, Replica


class Reload(EngineFault):
    """Apply: the door is told, and the engine dies. Its successor's door knows nothing of it."""

    ends_itself: ClassVar[bool] = False
    """Whether the engine dies of the fault itself."""

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Tell the door, then end exactly this incarnation."""
        super().apply(driver, strike)
        if not self.ends_itself:
            driver.kill(strike.target)

    def renew(self, driver: Driver, strike: Strike) -> None:
        """Nobody is left to be told: what was said is worth nothing after its lease."""

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """It no longer exists, and what came after is as the fault says."""
        if driver.alive(strike.target):
            return Sight(False, f"{strike.target.unit} still runs")
        return self.after(driver, strike, self.read(strike.options))

    def undo(self, driver: Driver, strike: Strike) -> None:
        """End it where the engine still lives, and ask the platform to run what should run."""
        super().undo(driver, strike)
        with contextlib.suppress(TargetError):
            driver.restore(strike.target.role)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """A replica of the same name is ready, and where it is the very same, its door has nothing of it."""
        ready = ready_again(driver, strike.target)
        if not ready.seen:
            return ready
        try:
            active = bool(door.told(driver, strike).get("active"))
        except OSError as error:
            return Sight(False, f"{strike.target.name} could not be asked: {error}")
        return Sight(not active, f"{strike.target.name} still has it" if active else ready.detail)

    def effect(self, engine: Engine, options: Any, told: dict[str, Any]) -> Sight:  # noqa: ARG002 - it is dead
        """A dead engine shows nothing of it."""
        return Sight(False, f"an answer has {engine.chat()}")

    @abstractmethod
    def after(self, driver: Driver, strike: Strike, options: Any) -> Sight:
        """What is seen once that incarnation is gone."""


def successor(driver: Driver, target: Identity) -> Replica | None:
    """The replica of the same name, when it is another incarnation."""
    for replica in driver.replicas(target.role):
        if replica.identity.name == target.name and replica.identity.unit != target.unit:
            return replica
    return None
