"""The coefficients that explain measured cells: non-negative least squares on medians, each error as a share.

Three kinds of equations. The median time between two tokens is the median step: everyone answers, and as many prompts
come between as the median of a Poisson distribution says, for users who do not wait for each other start independently.
TTFT is the request's own cost and the steps of its prompt; and where others answer, half a step of theirs before it,
for it comes at any moment of one. Where the median number of prompts lies close to the edge between two counts, the
cell says little about either, and gives no such equation; nor does one where requests queue. And the mean time between
two tokens is the mean step, with as many tokens and prompts as were counted.

Outliers count less: after Huber (1964), an equation whose error is beyond 1.5 times the usual one pulls no harder than
one at that edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from holdfast.calibration.cells import Seen
from holdfast.calibration.step import COUNTED, Coefficients, Work, prompt_alone, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from holdfast.calibration.cells import Cell

FLATS: Final = (0, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512)
"""Counts of tokens, up to which a step may cost the same, that are tried."""
EDGE: Final = 0.08
"""How far the Poisson distribution must be from one half on both sides of its median."""
BUSY: Final = 0.7
"""Share of the token budget beyond which prompts wait for each other."""
ALIKE: Final = 1.05
TINY: Final = 1e-9
TURNS: Final = 8
HUBER: Final = 1.5
USUAL: Final = 1.4826
"""Median absolute deviation to standard deviation, for errors that are normal."""
LEAST_ERROR: Final = 0.002
P99: Final = 2.326
"""Standard deviations from the median of a normal distribution to its p99."""
MOST_NOISE: Final = 0.3
LEAST_ROWS: Final = 8

Kind = Literal["ttft", "itl", "mean"]


class TooFewError(ValueError):
    """The cells do not determine the coefficients; `missing` says what else is to be measured."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__("; ".join(missing))
        self.missing = missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """One median, or mean, of one cell, in seconds; a mean with the tokens that a mean step brought."""

    cell: Cell
    kind: Kind
    seconds: float
    tokens: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The coefficients, the equations with what these say instead, and the noise of a step as a share of it."""

    coefficients: Coefficients
    equations: tuple[tuple[Equation, float], ...]
    noise: float

    @property
    def typical_error(self) -> float:
        """Median of the errors, as shares of what was measured."""
        return float(np.median([abs(said / one.seconds - 1) for one, said in self.equations]))


def fit(seen: Sequence[Seen], *, budget: int, seats: int) -> Fitted:
    """Fit the usable ones of these cells. Raises TooFewError.

    `budget` and `seats` are the engine's max_num_batched_tokens and max_num_seqs.
    """
    equations = tuple(_equations([one for one in seen if one.usable], budget, seats))
    missing = tuple(_missing(equations))
    if missing:
        raise TooFewError(missing)
    tried = [(flat, *_solved(equations, budget, flat)) for flat in FLATS if _may_be_flat(flat, equations)]
    # Several may explain the cells alike, for what they differ by goes into other coefficients: the least of them.
    best = min(loss for _, _, loss in tried)
    flat, values, _ = next(one for one in tried if one[2] <= best * ALIKE + TINY)
    coefficients = Coefficients(flat_tokens=flat, **dict(zip(COUNTED, map(float, values), strict=True)))
    said = tuple((one, coefficients.seconds(_work(one, budget, flat))) for one in equations)
    return Fitted(coefficients=coefficients, equations=said, noise=_noise(seen))


def _equations(seen: Sequence[Seen], budget: int, seats: int) -> Iterator[Equation]:
    for one in seen:
        assert one.ttft_p50 is not None  # noqa: S101 - they are usable
        assert one.itl_p50 is not None  # noqa: S101 - as above
        if one.itl_mean and one.throughput and one.cell.concurrency > 1:
            tokens = one.throughput * one.itl_mean
            yield Equation(cell=one.cell, kind="mean", seconds=one.itl_mean, tokens=tokens)
        if prompts_beside(one.cell) is not None and not _queues(one.cell, budget, seats):
            yield Equation(cell=one.cell, kind="ttft", seconds=one.ttft_p50)
            yield Equation(cell=one.cell, kind="itl", seconds=one.itl_p50)


def prompts_beside(cell: Cell) -> int | None:
    """Prompts in the median step of a cell; None where the median lies too close to the edge of two counts."""
    if cell.concurrency == 1:
        return 0
    rate = (cell.concurrency - 1) / cell.answer
    below, chance, count = 0.0, math.exp(-rate), 0
    while below + chance < 0.5:  # noqa: PLR2004 - the median
        below, count = below + chance, count + 1
        chance *= rate / count
    return count if below < 0.5 - EDGE and below + chance > 0.5 + EDGE else None


def lacking(cells: Iterable[Cell], *, budget: int, seats: int) -> tuple[str, ...]:
    """What else must be measured for a fit, were all of these cells measured well; nothing when they are enough."""
    well = [Seen(cell=one, ttft_p50=1.0, itl_p50=1.0, itl_mean=1.0, throughput=1.0) for one in cells]
    return tuple(_missing(tuple(_equations(well, budget, seats))))


def _queues(cell: Cell, budget: int, seats: int) -> bool:
    """Whether requests wait for a seat, or for their share of the budget."""
    prompts = (cell.concurrency - 1) / cell.answer * cell.prompt
    return cell.concurrency > seats or cell.concurrency + prompts > BUSY * budget


def _missing(equations: Sequence[Equation]) -> Iterator[str]:
    alone = {one.cell.prompt for one in equations if one.kind == "ttft" and one.cell.concurrency == 1}
    beside = {one.cell.concurrency for one in equations if one.kind != "ttft"}
    if len(alone) < 3:  # noqa: PLR2004 - a parabola
        yield f"cells with one request at a time and three lengths of prompt; usable are {len(alone)}"
    if len(beside) < 3:  # noqa: PLR2004 - a line, and one to see whether it is one
        yield f"cells with three concurrencies and answers long enough; usable are {len(beside)}"
    if len(equations) < LEAST_ROWS:
        yield f"{LEAST_ROWS} medians in all; usable are {len(equations)}"


def _may_be_flat(flat: int, equations: Sequence[Equation]) -> bool:
    """Two prompts beyond it are needed to tell the slope there."""
    prompts = sorted({one.cell.prompt for one in equations if one.kind == "ttft"})
    return flat < prompts[-2]


def _work(one: Equation, budget: int, flat: int) -> Work:
    if one.kind == "mean":
        return _mean_step(one, flat)
    cell, prompts = one.cell, prompts_beside(one.cell) or 0
    others = cell.concurrency if one.kind == "itl" else cell.concurrency - 1
    decodes = max(0, others - prompts)
    context = decodes * (cell.prompt + cell.answer / 2)
    chunks = ((cell.prompt, 0),) * min(prompts, others)
    beside = step(decodes=decodes, context=context, chunks=chunks, flat=flat)
    if one.kind == "itl":
        return beside
    if not others:
        return prompt_alone(cell.prompt, budget=budget, flat=flat)
    before = Work(requests=1, beside=others).plus(beside, 0.5)
    first = min(cell.prompt, budget)
    own = step(decodes=decodes, context=context, chunks=(*chunks, (first, 0)), flat=flat)
    rest = prompt_alone(cell.prompt, budget=budget, flat=flat, done=first)
    return before.plus(own).plus(replace(rest, requests=0))


def _mean_step(one: Equation, flat: int) -> Work:
    """What the engine did between two tokens of a request, on average: so many tokens, and a prompt for each answer.

    The request's own prompt came before its first token, so only the others' are in between.
    """
    cell = one.cell
    prompts = one.tokens / cell.answer * (cell.concurrency - 1) / cell.concurrency
    return Work(
        steps=1,
        beyond_flat=max(0.0, one.tokens + prompts * cell.prompt - flat),
        attention=prompts * cell.prompt**2 / 2,
        context=one.tokens * (cell.prompt + cell.answer / 2),
        sequences=one.tokens + prompts,
        prompts=prompts,
    )


def _solved(equations: Sequence[Equation], budget: int, flat: int) -> tuple[Any, float]:
    """The coefficients in the order of COUNTED, and the sum of Huber's losses."""
    from scipy.optimize import nnls  # noqa: PLC0415 - 0.3 s of import that `--help` need not pay

    rows = np.array([_work(one, budget, flat).row for one in equations])
    rows /= np.array([one.seconds for one in equations])[:, None]
    scale = np.where(rows.max(axis=0) > 0, rows.max(axis=0), 1.0)
    weights = np.ones(len(rows))
    values, errors = np.zeros(rows.shape[1]), np.ones(len(rows))
    for _ in range(TURNS):
        values = nnls(rows / scale * weights[:, None], weights)[0] / scale
        errors = np.abs(rows @ values - 1)
        edge = HUBER * max(LEAST_ERROR, USUAL * float(np.median(errors)))
        weights = np.sqrt(np.minimum(1.0, edge / np.maximum(errors, 1e-12)))
    edge = HUBER * LEAST_ERROR
    losses = np.where(errors <= edge, errors**2 / 2, edge * (errors - edge / 2))
    return values, float(losses.sum())


def _noise(seen: Sequence[Seen]) -> float:
    """From the spread where nobody disturbs a request; a share of the step."""
    alone = [
        one.itl_p99 / one.itl_p50 - 1
        for one in seen
        if one.usable and one.cell.concurrency == 1 and one.itl_p99 and one.itl_p50
    ]
    return float(np.clip(np.median(alone) / P99, 0.0, MOST_NOISE)) if alone else 0.0


def without(fitted: Fitted, own: Mapping[Cell, float]) -> Fitted:
    """As fitted, less what the simulator itself costs a request: that comes by itself, and must not be added twice.

    `own` has the TTFT of a simulator without `c_request` and `c_beside`, in seconds, in cells that gave an equation.
    """
    beyond = {
        one.cell.concurrency: own[one.cell] - (said - _before(fitted.coefficients, one.cell.concurrency))
        for one, said in fitted.equations
        if one.kind == "ttft" and one.cell in own
    }
    alone = max(0.0, beyond.get(1, 0.0))
    crowd = max(beyond, default=1)
    each = (beyond[crowd] - alone) / (crowd - 1) if crowd > 1 else 0.0
    given = fitted.coefficients
    less = replace(given, c_request=max(0.0, given.c_request - alone), c_beside=max(0.0, given.c_beside - each))
    return replace(fitted, coefficients=less)


def _before(coefficients: Coefficients, concurrency: int) -> float:
    """What a request costs before its steps, in seconds."""
    return coefficients.c_request + coefficients.c_beside * (concurrency - 1)


def bare(fitted: Fitted) -> Fitted:
    """The same without what a request costs before its steps."""
    return replace(fitted, coefficients=replace(fitted.coefficients, c_request=0.0, c_beside=0.0))


def tell_own(fitted: Fitted) -> tuple[Cell, ...]:
    """The two cells in which the simulator's own cost is looked for: nobody beside a request, and as many as can be."""
    cells = [one.cell for one, _ in fitted.equations if one.kind == "ttft"]
    alone = min(cells, key=lambda cell: (cell.concurrency, cell.prompt, -cell.answer))
    return tuple(dict.fromkeys((alone, max(cells, key=_by_crowd))))


def _by_crowd(cell: Cell) -> tuple[int, int, int]:
    """The most at a time last, and among these the shortest prompts and the longest answers."""
    return cell.concurrency, -cell.prompt, cell.answer
