"""What formats of traces share: a row with a whole number of ticks, cells with their columns, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from holdfast.model.load.lengths import MOST_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TICKS: Final = 10_000_000
"""Ticks per second: 100 ns, the finest digit that any of the formats has. Whole, so that days lose nothing."""

_DIGITS: Final = 20


class Stamped(NamedTuple):
    """One row as it stands in the file; `ticks` count from the format's own zero."""

    ticks: int
    prompt_tokens: int
    answer_tokens: int
    session: str = ""
    blocks: tuple[int, ...] = ()


class RowError(Exception):
    """What is wrong with a line, at a column from 1; whoever knows file and line makes a Problem of it."""

    def __init__(self, column: int, width: int, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.column, self.width, self.what, self.hint = column, max(1, width), what, hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How to know a format by its first line, and to read its rows.

    `reader` takes the first line and gives what reads each line; both raise RowError. Where the format is not `headed`,
    the first line is a row too. `begins` is an example of a first line, for people.
    """

    begins: str
    claims: Callable[[str], bool]
    reader: Callable[[str], Callable[[str], Stamped]]
    headed: bool = True


class Columns:
    """The named columns of a CSV header, and the way from a cell back to its place in the line."""

    def __init__(self, header: str, *, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        self._names = header.split(",")
        for index, name in enumerate(self._names):
            if name not in {*required, *optional}:
                hint = f"columns are {', '.join([*required, *optional])}"
                raise RowError(_column(self._names, index), len(name), f"unknown column {name!r}", hint)
            if name in self._names[:index]:
                raise RowError(_column(self._names, index), len(name), f"column {name!r} stands there twice")
        missing = [name for name in required if name not in self._names]
        if missing:
            raise RowError(1, len(header), f"no column {', '.join(missing)}")

    def index(self, name: str) -> int | None:
        """Where a column stands, from 0; None when the file has none of that name."""
        return self._names.index(name) if name in self._names else None

    def cells(self, line: str) -> list[str]:
        """The cells of a row. Raises RowError when there are too few or too many."""
        cells = line.split(",")
        if len(cells) != len(self._names):
            count = len(cells) if line else 0
            raise RowError(1, len(line), f"expected {len(self._names)} fields, got {count}")
        return cells


def refuse(cells: Sequence[str], index: int, what: str, hint: str = "") -> NoReturn:
    """Raise RowError for one cell."""
    raise RowError(_column(cells, index), len(cells[index]), what, hint)


def tokens(cells: Sequence[str], index: int) -> int:
    """A whole number of tokens. Raises RowError."""
    text = cells[index]
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) <= MOST_TOKENS):
        refuse(cells, index, f"not a number of tokens: {text[:_DIGITS]!r}", f"a whole number up to {MOST_TOKENS}")
    return int(text)


def _column(cells: Sequence[str], index: int) -> int:
    return sum(len(cell) + 1 for cell in cells[:index]) + 1
