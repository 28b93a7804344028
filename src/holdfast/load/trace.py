"""Reads production traces of any known format, as far as a run needs them; every problem at once.

Rows are looked at one by one and only those of the window are kept, so that a week of traffic costs no more memory
than the minutes that are replayed of it.
"""

from __future__ import annotations

import math
from itertools import chain, groupby, islice, pairwise, takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from holdfast.errors import Location, Problem, SpecError
from holdfast.load.traces import formats
from holdfast.load.traces.base import TICKS, RowError, Stamped
from holdfast.model.load import TraceRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MOST_SHOWN: Final = 20
_SAMPLE: Final = 2000
"""Rows from the beginning of a trace that show how coarse its stamps are."""
_COARSE: Final = 0.01
"""Share of rows with the stamp of the row before, above which stamps are called coarse."""


def read_trace(
    text: str | Iterable[str], file: str, *, start: float = 0.0, until: float = math.inf, width: float | None = None
) -> tuple[TraceRow, ...]:
    """Rows from `start` seconds into the trace on, for `until` seconds; their offsets count from there.

    `text` is a whole file or its lines. Its format is found by the first line (`holdfast.load.traces`); rows stand in
    order of time, and the first is second 0. `width` is how many seconds a stamp stands for; None takes it from the
    trace: where more than one row of a hundred has the stamp of the row before, the smallest step between two stamps.

    Raises SpecError naming each bad line, up to the end of the window and of the sample that shows the step.
    """
    lines = enumerate((text.splitlines() if isinstance(text, str) else _bare(text)), start=1)
    read, rest = _opened(lines, file)
    problems: list[Problem] = []
    rows = _read(rest, read, file, problems)
    sample = list(islice(rows, _SAMPLE if width is None else 1))
    step = _coarseness(sample) if width is None else round(width * TICKS)
    zero = (sample[0].ticks if sample else 0) + round(start * TICKS)
    kept = tuple(_window(chain(sample, rows), zero, until, step))
    if not kept and not problems:
        problems.append(_nothing(file, start, until, empty=not sample))
    if problems:
        raise SpecError(tuple(problems))
    return kept


def _bare(lines: Iterable[str]) -> Iterator[str]:
    return (line.rstrip("\r\n") for line in lines)


def _opened(lines: Iterator[tuple[int, str]], file: str) -> tuple[Callable[[str], Stamped], Iterator[tuple[int, str]]]:
    """What reads a row of this trace, and the rows. Raises SpecError when no format knows the first line."""
    number, first = next(lines, (1, ""))
    known = formats()
    found = next((one for one in known if one.claims(first)), None)
    if found is None:
        hint = "a trace begins with one of: " + " | ".join(one.begins for one in known)
        error = RowError(1, len(first[:120]), "not a trace: no known format begins like this", hint)
        raise SpecError((_problem(error, file, 1, first[:120]),))
    try:
        return found.reader(first), lines if found.headed else chain([(number, first)], lines)
    except RowError as error:
        raise SpecError((_problem(error, file, number, first),)) from error


def _problem(error: RowError, file: str, number: int, line: str) -> Problem:
    where = Location(file=file, line=number, column=error.column)
    return Problem(where=where, what=error.what, source=line, width=error.width, hint=error.hint)


def _nothing(file: str, start: float, until: float, *, empty: bool) -> Problem:
    what = f"the trace has no rows between {start:g}s and {start + until:g}s" if until < math.inf else ""
    what = what or f"the trace ends before {start:g}s"
    return Problem(where=Location(file=file), what="the trace has no rows" if empty else what)


def _read(
    lines: Iterator[tuple[int, str]], read: Callable[[str], Stamped], file: str, problems: list[Problem]
) -> Iterator[Stamped]:
    before = -math.inf
    for number, line in lines:
        try:
            row = read(line)
            if row.ticks < before:
                raise RowError(1, len(line), "this row is earlier than the row before it", "sort the file by time")  # noqa: TRY301 - the same end as what `read` raises
        except RowError as error:
            problems.append(_problem(error, file, number, line))
            if len(problems) == _MOST_SHOWN:
                return
            continue
        before = row.ticks
        yield row


def _coarseness(sample: list[Stamped]) -> int:
    """Ticks that one stamp stands for; 0 when hardly two rows share one."""
    steps = [later.ticks - earlier.ticks for earlier, later in pairwise(sample)]
    apart = [step for step in steps if step]
    coarse = len(steps) - len(apart) > _COARSE * len(steps)
    return min(apart, default=0) if coarse else 0


def _window(rows: Iterable[Stamped], zero: int, until: float, step: int) -> Iterator[TraceRow]:
    end = zero + until * TICKS
    inside = _spread((row for row in rows if row.ticks >= zero), step)
    for row, width in takewhile(lambda found: found[0].ticks < end, inside):
        yield TraceRow(
            offset=(row.ticks - zero) / TICKS,
            prompt_tokens=row.prompt_tokens,
            answer_tokens=row.answer_tokens,
            width=width / TICKS,
            session=row.session,
            blocks=row.blocks,
        )


def _spread(rows: Iterable[Stamped], step: int) -> Iterator[tuple[Stamped, int]]:
    """Each row with the ticks that its stamp stands for: a step, but never beyond the next stamp."""
    before: list[Stamped] = []
    for ticks, same in groupby(rows, key=attrgetter("ticks")):
        yield from ((row, min(step, ticks - row.ticks)) for row in before)
        before = list(same)
    yield from ((row, step) for row in before)
