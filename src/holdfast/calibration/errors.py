"""How far the simulator is from the engine: the same cells, the same client, and by which share each number is off."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.calibration.cells import Cell, Seen

Number = Literal["itl_p50", "ttft_p50", "throughput"]
NUMBERS: Final[tuple[Number, ...]] = ("itl_p50", "ttft_p50", "throughput")
RISING: Final = 1.25
"""Throughput that still grows by so much with the last step of concurrency has not reached its highest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One cell of both; `held` says that the fit never saw it."""

    cell: Cell
    held: bool
    engine: Seen
    simulator: Seen

    def error(self, number: Number) -> float:
        """By which share the simulator's number is above the engine's; NaN where one of them is not known."""
        truth, said = getattr(self.engine, number), getattr(self.simulator, number)
        return float("nan") if not truth or said is None else said / truth - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """Where throughput stops growing with concurrency, for one shape of requests.

    `throughput` is the highest, in tokens a second; `concurrency` where the line from the origin through the lowest
    concurrency reaches it: the point at which, in operational analysis, waiting begins. `reached` is False when the
    throughput was still growing at the end.
    """

    shape: tuple[int, int]
    concurrency: float
    throughput: float
    reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Errors of one number over some cells, as shares: the one in the middle and the largest, without sign."""

    cells: int
    middle: float | None
    largest: float | None


def pairs(engine: Iterable[Seen], simulator: Iterable[Seen], held: frozenset[Cell]) -> tuple[Pair, ...]:
    """The cells that are usable of both, in their order."""
    known = {one.cell: one for one in simulator if one.usable}
    found = sorted((one for one in engine if one.usable and one.cell in known), key=lambda one: one.cell)
    return tuple(Pair(cell=one.cell, held=one.cell in held, engine=one, simulator=known[one.cell]) for one in found)


def summary(found: Sequence[Pair], number: Number) -> Summary:
    """Over these cells; nothing is known of no cells."""
    sizes = sorted(abs(one.error(number)) for one in found)
    if not sizes:
        return Summary(cells=0, middle=None, largest=None)
    return Summary(cells=len(sizes), middle=median(sizes), largest=sizes[-1])


def knee(seen: Iterable[Seen], shape: tuple[int, int]) -> Knee | None:
    """Of one shape, from at least three concurrencies."""
    found = sorted(
        (one for one in seen if one.usable and one.cell.shape == shape), key=lambda one: one.cell.concurrency
    )
    rates = [(one.cell.concurrency, one.throughput or 0.0) for one in found]
    if len(rates) < 3:  # noqa: PLR2004 - a rise, a bend and a plateau
        return None
    lowest, each = rates[0][0], rates[0][1] / rates[0][0]
    highest = max(rate for _, rate in rates)
    return Knee(
        shape=shape,
        concurrency=max(float(lowest), highest / each),
        throughput=highest,
        reached=rates[-1][1] < RISING * rates[-2][1],
    )
