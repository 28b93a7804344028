"""Point processes of mean rate one, one file each, found by the file's name; time is counted in mean gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from holdfast.arrivals import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


class Process(Protocol):
    """How irregularly requests come."""

    def points(self, random: Random) -> Iterator[float]:
        """Points without end, in order; over a time t there are t of them on average, from the very start."""
        ...


def names() -> tuple[str, ...]:
    """Every known process, sorted."""
    return words.names(__path__)


def read(text: str) -> Process:
    """The process in "poisson" or "gamma cv=2". Raises WordError."""
    name, *rest = text.split() or [""]
    found: Process = words.filled(words.find(__name__, __path__, name, "process", "processes").Process, rest)
    return found
