"""Appointments by step number, so that a step touches only the sequences to which something happens in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refplatform.engine.scheduler.sequence import Sequence


class Calendar:
    """At most one appointment for each sequence; its owner remembers the number."""

    def __init__(self) -> None:
        self._days: dict[int, dict[Sequence, None]] = {}

    def add(self, number: int, sequence: Sequence) -> None:
        """Look at it in this step."""
        self._days.setdefault(number, {})[sequence] = None

    def cancel(self, number: int, sequence: Sequence) -> None:
        """Forget the appointment; none is no error."""
        if (day := self._days.get(number)) is not None:
            day.pop(sequence, None)
            if not day:
                del self._days[number]

    def take(self, number: int) -> list[Sequence]:
        """Those of this step, which are over with this."""
        return list(self._days.pop(number, ()))

    def __len__(self) -> int:
        return sum(map(len, self._days.values()))
