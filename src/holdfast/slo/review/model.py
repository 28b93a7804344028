"""The nouns of an error-budget review: counts in cells of time, what may have spent budget, what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from holdfast.model.verdict import State, worst

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.slo.review.forecast import Forecast
    from holdfast.slo.review.month import Month

Numbers: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

TINY: Final = 1e-9
"""What sums of counts may differ by."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Events of one SLO in cells of `step` seconds from `start` on (Unix): all, and bad ones; NaN where unknown.

    `alive` marks cells in which the source recorded anything at all: an SLO without counts there was not recorded
    yet, while in others nobody was looking.
    """

    start: float
    step: float
    total: Numbers
    bad: Numbers
    alive: Mask

    @property
    def starts(self) -> Numbers:
        """Unix seconds at which each cell begins."""
        return self.start + self.step * np.arange(len(self.total), dtype=np.float64)

    @property
    def end(self) -> float:
        """Unix seconds at which the last cell ends."""
        return self.start + self.step * len(self.total)

    @property
    def known(self) -> Mask:
        """Cells with two numbers that can be counts: finite, none below zero, no more bad ones than all."""
        real = np.isfinite(self.total) & np.isfinite(self.bad) & (self.total >= 0) & (self.bad >= 0)
        return real & (self.bad <= self.total * (1 + TINY) + TINY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase of a run, Unix seconds; `bad` is what the run's own record counted, by SLO."""

    name: str
    start: float
    end: float
    bad: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A chaos run or an incident that may have spent budget; `slos` are the ids it touches, none for all."""

    kind: Literal["run", "incident"]
    name: str
    start: float
    end: float
    slos: frozenset[str] = frozenset()
    phases: tuple[Phase, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the review must know of an SLO: its id, objective, the budget's share, and what one count is."""

    slo: str
    objective: float
    budget: float
    unit: str = "events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one cause spent: events while it went on, bad ones, share of the month's budget.

    `minutes` are its own; `taken` are those that a cause before it in the order has. `by` says how a run's phases were
    told apart.
    """

    kind: Literal["run", "phase", "incident", "rest"]
    name: str
    total: float
    bad: float
    spent: float
    minutes: float
    taken: float = 0.0
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPart:
    """What one day spent; `missing` are its minutes of which nothing is known, `seen` the others that are over."""

    name: str
    total: float
    bad: float
    spent: float
    seen: float
    missing: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SloReview:
    """One SLO's month. Shares are of the month's budget, which for a month that goes on assumes traffic as it was.

    `low` and `high` are what is spent if every missing minute was good, or bad, at the mean traffic. `seen`, `missing`
    and `before` (the SLO was not recorded yet) are minutes. `curve` is (Unix seconds, share spent) from hour to
    hour since it was recorded; `gone` is when the budget was, if it was.
    """

    asked: Asked
    state: State
    total: float
    bad: float
    allowed: float
    spent: float
    low: float
    high: float
    seen: float
    missing: float
    before: float
    days: tuple[DayPart, ...]
    parts: tuple[Part, ...]
    curve: tuple[tuple[float, float], ...]
    gone: float | None
    forecast: Forecast

    @property
    def ratio(self) -> float:
        """Share of bad events among those seen; NaN without any."""
        return self.bad / self.total if self.total else float("nan")

    @property
    def left(self) -> float:
        """Share of the budget that is left, below zero when more was spent; NaN when that is not known."""
        return 1 - self.spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All SLOs over one month, as of `now` (Unix seconds)."""

    month: Month
    now: float
    step: float
    source: str
    slos: tuple[SloReview, ...]
    causes: tuple[Cause, ...]

    @property
    def state(self) -> State:
        """PASS while every SLO has budget left for sure; FAIL when one has none for sure."""
        return worst(one.state for one in self.slos)

    @property
    def partial(self) -> bool:
        """Whether the month still goes on."""
        return self.now < self.month.end
