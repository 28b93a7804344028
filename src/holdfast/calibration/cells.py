"""What is measured of an engine: a cell of the grid, what was seen in it, and which cells the fit may not see."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HELD_EVERY: Final = 3
"""One cell in so many is held out."""
_HELD_AT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """So many requests at a time, each with a prompt and, on average, an answer of so many tokens."""

    prompt: int
    answer: int
    concurrency: int

    def __str__(self) -> str:
        """As "512+64 x8"."""
        return f"{self.prompt}+{self.answer} x{self.concurrency}"

    @property
    def shape(self) -> tuple[int, int]:
        """What its requests look like, whatever their number."""
        return self.prompt, self.answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one measurement of a cell gave; seconds, and tokens a second; None where nothing is known.

    TTFT counts from the request's first byte to the first event of its answer, ITL from one event to the next;
    `merged` is the share of tokens that came in an event with others. `steps` and `step_tokens` are what the engine's
    own counters moved by meanwhile. `client_cpu` is the share of a core that the client used, and `client_waited` the
    share of the time that it waited for one. `trouble` says why the numbers must not be used; empty when they may.
    """

    cell: Cell
    requests: int = 0
    failed: int = 0
    seconds: float = 0.0
    ttft_p50: float | None = None
    ttft_p99: float | None = None
    itl_p50: float | None = None
    itl_p99: float | None = None
    itl_mean: float | None = None
    throughput: float | None = None
    merged: float | None = None
    steps: float | None = None
    step_tokens: float | None = None
    client_cpu: float | None = None
    client_waited: float | None = None
    trouble: str = ""

    @property
    def usable(self) -> bool:
        """Whether a fit, or a comparison, may rest on it."""
        needed = (self.ttft_p50, self.itl_p50, self.throughput)
        return not self.trouble and all(value is not None and math.isfinite(value) and value > 0 for value in needed)

    @property
    def why_not(self) -> str:
        """Why it is not usable; empty when it is."""
        return "" if self.usable else self.trouble or "a number is missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Every combination of these counts, rising and without repetition. Raises ValueError when one is no count."""

    concurrencies: tuple[int, ...]
    prompts: tuple[int, ...]
    answers: tuple[int, ...]

    def __post_init__(self) -> None:
        """An answer of one token has no time between two."""
        for name, values, least in (
            ("a concurrency", self.concurrencies, 1),
            ("a prompt", self.prompts, 1),
            ("an answer", self.answers, 4),
        ):
            if not values or list(values) != sorted(set(values)) or values[0] < least:
                raise ValueError(f"{name} must be at least {least}, and each count stand once, the least first")

    @property
    def cells(self) -> tuple[Cell, ...]:
        """By concurrency, then prompt, then answer."""
        return tuple(
            Cell(prompt=prompt, answer=answer, concurrency=concurrency)
            for concurrency in self.concurrencies
            for prompt in self.prompts
            for answer in self.answers
        )

    @property
    def held_out(self) -> frozenset[Cell]:
        """Every third cell along each of the three directions, whatever was measured in it: a rule, so no choice."""
        return frozenset(
            Cell(prompt=prompt, answer=answer, concurrency=concurrency)
            for i, concurrency in enumerate(self.concurrencies)
            for j, prompt in enumerate(self.prompts)
            for k, answer in enumerate(self.answers)
            if (i + j + k) % HELD_EVERY == _HELD_AT
        )


def grid_of(cells: Iterable[Cell]) -> Grid:
    """The smallest grid that holds these cells. Raises ValueError for no cells."""
    found = list(cells)
    return Grid(
        concurrencies=tuple(sorted({cell.concurrency for cell in found})),
        prompts=tuple(sorted({cell.prompt for cell in found})),
        answers=tuple(sorted({cell.answer for cell in found})),
    )


def to_line(seen: Seen, **more: Any) -> str:
    """One line of JSON; what is not finite becomes null, for it is not known."""
    raw = {**asdict(seen), **more}
    known = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in raw.items()
    }
    return json.dumps(known, allow_nan=False) + "\n"


def from_dict(raw: Mapping[str, Any]) -> Seen:
    """What `to_line` wrote. Raises ValueError for what it would not have written."""
    try:
        known = {field.name: raw[field.name] for field in fields(Seen) if field.name in raw}
        cell = {name: int(known["cell"][name]) for name in ("prompt", "answer", "concurrency")}
        return Seen(**known | {"cell": Cell(**cell)})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a measured cell: {error}") from error


def medians(seen: Sequence[Seen]) -> tuple[Seen, ...]:
    """One measurement for each cell that has a usable one: the repeat in the middle, by its throughput.

    A whole repeat, and not the middle of each number: its numbers belong together.
    """
    found: dict[Cell, list[Seen]] = {}
    for one in seen:
        if one.usable:
            found.setdefault(one.cell, []).append(one)
    return tuple(
        sorted(repeats, key=lambda one: one.throughput or 0.0)[(len(repeats) - 1) // 2]
        for _, repeats in sorted(found.items())
    )
