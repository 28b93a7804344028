"""What master and workers say to each other, in messages of Locust's own connection; all seconds are monotonic."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holdfast.model.load import Schedule

CLOCK: Final = "holdfast_clock"
"""A worker asks what the master's clock shows; the answer carries the question's stamp."""
READY: Final = "holdfast_ready"
GO: Final = "holdfast_go"
CUT: Final = "holdfast_cut"
LINES: Final = "holdfast_lines"
LEFT: Final = "holdfast_left"

START: Final = 60.0
"""Seconds within which the workers must have come and be ready; neither side waits longer for the other."""
SILENCE: Final = 10.0
"""Seconds without a heartbeat of the master after which a worker offers nothing more."""
SLACK: Final = 4.0
"""Seconds after every request's own deadline, for the last words of the workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A worker's word that it can begin: Locust's index of it, the master's clock less its own, and its schedule."""

    index: int
    offset: float
    uncertainty: float
    schedule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """The master's word: time zero on its clock, and which of how many shares to offer."""

    epoch: float
    share: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A worker's last word; `error` is empty when it offered its whole share. The offset is measured again."""

    sent: int
    dropped: int
    batches: int
    error: str
    offset: float | None
    uncertainty: float | None


def fingerprint(arrivals: Schedule) -> str:
    """Equal for equal times and lengths: workers that read other files than the master would offer another load."""
    columns = arrivals.columns
    return hashlib.sha256(
        b"".join(part.tobytes() for part in (columns.due, columns.prompt, columns.answer))
    ).hexdigest()
