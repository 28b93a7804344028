"""`clock_shift`: one replica's wall clock is wrong: what expires, expires too early or too late."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.errors import TargetError
from holdfast.faults.base import Fault, Options
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Clocks

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_BLUR: Final = 3.0
"""Seconds: a dated answer is exact to one, and is dated by the second that a server last looked at its clock."""


class Offset(Options):
    """How wrong."""

    seconds: float = Field(
        default=300,
        ge=-86400,
        le=86400,
        description="Seconds ahead of the right time, at least 5; negative: behind.",
    )


class ClockShift(Fault):
    """Seen by the date of the replica's own answers. Only the wall clock: steady clocks run on."""

    title: ClassVar = "wrong about the time"
    family: ClassVar = "resource"
    words: ClassVar = Words(
        apply="set the wall clock that {target} reads {seconds} s ahead (libfaketime)",
        bites="its answers are dated {seconds} s ahead of our clock, give or take 3 s",
        undo="set it right",
        gone="its answers bear the right date, and a replica of that name is ready",
    )
    Options: ClassVar = Offset
    bites_within: ClassVar = 8.0

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Raises TargetError when its clock is the machine's own, or for a shift that could not be seen."""
        seconds = self.read(strike.options).seconds
        if abs(seconds) < _BLUR + 2:
            raise TargetError(f"a shift of {seconds:g} s cannot be told from none", hint="seconds: 300")
        driver.hand(Clocks).shift(strike.target, strike.id, seconds)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Its answers are dated so."""
        return _dated(driver, strike, self.read(strike.options).seconds)

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Take the shift away."""
        driver.hand(Clocks).right(strike.target, strike.id)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """Its answers are dated right, and it serves."""
        ready = ready_again(driver, strike.target)
        return _dated(driver, strike, 0.0) if ready.seen else ready


def _dated(driver: Driver, strike: Strike, wanted: float) -> Sight:
    """Whether its answers are dated so many seconds ahead; one that answers nothing is not seen to be anything."""
    try:
        ahead = driver.hand(Clocks).ahead(strike.target)
    except TargetError as error:
        return Sight(False, str(error))
    return Sight(abs(ahead - wanted) <= _BLUR, f"dated {ahead:+.0f} s")


FAULT = ClockShift()
