"""How many streams a client holds: the most at which its own errors stay under a limit, by runs worth believing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.load.selftest.stamps import Errors, Spread

SERVER_LATE: Final = 0.002
"""Seconds of the server's own lateness, 99th percentile, above which a run says nothing about the client."""
DELIVERED: Final = 0.98
"""Share of the events planned that a client must have taken; with fewer it did not hold the streams."""


class Held(StrEnum):
    """What one run, or all runs of one count, say."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run: `streams` open at any time, and how it went. `cpu` is the client's, as a share of one core.

    `expected` is how many events fell into the window by the server's pace, `failed` how many answers were not whole,
    `refused` how many requests the client did not send. Seconds everywhere.
    """

    streams: int
    errors: Errors
    lag: Spread
    cpu: float
    expected: float
    failed: int
    refused: int

    def held(self, limit: float) -> Held:
        """Whether all three errors stayed within `limit` seconds, 99th percentiles.

        A server that was late or broke off proves no client wrong. Nor right: its events came as nobody planned.
        """
        server = self.errors.server.p99
        if self.failed or server is None or not server <= SERVER_LATE:
            return Held.UNDECIDED
        wrong = [one.p99 for one in (self.errors.recv, self.errors.itl, self.errors.ttft)]
        whole = not self.refused and self.errors.recv.count >= DELIVERED * self.expected
        return Held.YES if whole and all(one is not None and one <= limit for one in wrong) else Held.NO


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """The answer for one limit: `holds` streams, 0 when even the fewest were too many, None when nothing is known.

    `breaks` is the smallest larger count that was too many, None when no run found one.
    """

    limit: float
    holds: int | None
    breaks: int | None


def held(steps: Sequence[Step], limit: float) -> dict[int, Held]:
    """What all runs of each count say. Noise of the machine only adds to errors, so one run that held is enough."""
    found: dict[int, Held] = {}
    for count in sorted({step.streams for step in steps}):
        said = {step.held(limit) for step in steps if step.streams == count}
        found[count] = next(one for one in (Held.YES, Held.NO, Held.UNDECIDED) if one in said)
    return found


def knee(steps: Sequence[Step], limit: float) -> Knee:
    """The largest count that held, and the smallest beyond it that did not."""
    said = held(steps, limit)
    holds = max((count for count, one in said.items() if one is Held.YES), default=None)
    breaks = min((count for count, one in said.items() if one is Held.NO and count > (holds or 0)), default=None)
    if holds is None and breaks == min(said, default=None) and breaks is not None:
        holds = 0
    return Knee(limit=limit, holds=holds, breaks=breaks)


def in_words(found: Knee) -> str:
    """The answer as a sentence."""
    limit = f"errors under {found.limit * 1000:g} ms"
    if found.holds is None:
        return f"nothing is known about {limit}: the server was late, or broke off"
    if found.holds == 0:
        return f"this machine does not hold even {found.breaks} streams with {limit}"
    more = f"; {found.breaks} are too many" if found.breaks else "; no run found its end"
    return f"this machine holds {found.holds} streams with {limit}{more}"
