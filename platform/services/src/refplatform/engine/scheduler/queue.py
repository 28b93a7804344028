"""Who waits, in which order: first come first served, or by priority and then by arrival."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from refplatform.engine.scheduler.sequence import Sequence


class Queue(Protocol):
    """A line of sequences; `discard` says whether it was there."""

    def add(self, sequence: Sequence) -> None: ...  # noqa: D102
    def put_back(self, sequence: Sequence) -> None: ...  # noqa: D102
    def head(self) -> Sequence: ...  # noqa: D102
    def discard(self, sequence: Sequence) -> bool: ...  # noqa: D102
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Sequence]: ...


class FcfsQueue:
    """First come, first served; who was preempted comes back to the front."""

    def __init__(self) -> None:
        self._line: OrderedDict[Sequence, None] = OrderedDict()

    def add(self, sequence: Sequence) -> None:
        """To the end."""
        self._line[sequence] = None

    def put_back(self, sequence: Sequence) -> None:
        """To the front."""
        self._line[sequence] = None
        self._line.move_to_end(sequence, last=False)

    def head(self) -> Sequence:
        """The next one; StopIteration when nobody waits."""
        return next(iter(self._line))

    def discard(self, sequence: Sequence) -> bool:
        """Take one out, wherever it is."""
        return self._line.pop(sequence, self) is None

    def __len__(self) -> int:
        return len(self._line)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self._line)


class PriorityQueue:
    """Lowest priority number first, then earliest arrival; a heap from which those who left are dropped when met."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Sequence]] = []
        self._present: set[Sequence] = set()

    def add(self, sequence: Sequence) -> None:
        """To its place."""
        self._present.add(sequence)
        heapq.heappush(self._heap, (sequence.priority, sequence.arrival, sequence))

    def put_back(self, sequence: Sequence) -> None:
        """To its place, which it owes to its arrival."""
        self.add(sequence)

    def head(self) -> Sequence:
        """The next one; IndexError when nobody waits."""
        while (sequence := self._heap[0][2]) not in self._present:
            heapq.heappop(self._heap)
        return sequence

    def discard(self, sequence: Sequence) -> bool:
        """Take one out, wherever it is."""
        if sequence not in self._present:
            return False
        self._present.remove(sequence)
        if self._heap[0][2] is sequence:
            heapq.heappop(self._heap)
        return True

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[Sequence]:
        return (
            sequence for *_, sequence in sorted(self._heap, key=lambda entry: entry[:2]) if sequence in self._present
        )
