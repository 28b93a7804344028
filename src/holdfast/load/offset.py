"""How far another machine's clock is from ours, and how sure that is, from round trips of a question.

The other clock was read between our question and its answer, whatever the network did, so each round trip bounds the
offset from both sides; all of them together bound it by what they have in common (Cristian, "Probabilistic clock
synchronization", Distributed Computing 3, 1989). Nothing is assumed about the two ways taking equally long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Seconds: `asked` and `heard` by our clock, `there` by the other one, read between the two."""

    asked: float
    there: float
    heard: float


@dataclass(frozen=True, slots=True)
class Offset:
    """The other clock shows ours plus `seconds`, wrong by at most `uncertainty` (both in seconds)."""

    seconds: float
    uncertainty: float

    def ours(self, there: float) -> float:
        """What our clock shows when the other one shows `there`."""
        return there - self.seconds

    def theirs(self, here: float) -> float:
        """What the other clock shows when ours shows `here`."""
        return here + self.seconds


def offset_of(trips: Sequence[RoundTrip]) -> Offset:
    """The offset that every round trip allows; where they allow none in common (a clock was set), the quickest one's.

    Raises:
        ValueError: there is no round trip, or one that was heard before it was asked.
    """
    if not trips or any(not trip.asked <= trip.heard for trip in trips):
        raise ValueError("an offset needs round trips that end after they began")
    low, high = max(trip.there - trip.heard for trip in trips), min(trip.there - trip.asked for trip in trips)
    if low > high:
        quickest = min(trips, key=lambda trip: trip.heard - trip.asked)
        low, high = quickest.there - quickest.heard, quickest.there - quickest.asked
    return Offset((low + high) / 2, (high - low) / 2)
