"""Reads production traces in the format of the Azure LLM inference trace 2023; every problem at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from holdfast.errors import Location, Problem, SpecError
from holdfast.model.load import TraceRow

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER: Final = "TIMESTAMP,ContextTokens,GeneratedTokens"
TICKS: Final = 10_000_000
"""Ticks per second: the seven fractional digits of the format are units of 100 ns."""
_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,7}))?")
_COUNT: Final = re.compile(r"\d+")
_MOST_SHOWN: Final = 20


class _BadRowError(Exception):
    """Never leaves this file: it becomes a Problem."""

    def __init__(self, column: int, width: int, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.column, self.width, self.what, self.hint = column, width, what, hint


def read_trace(text: str, file: str, *, start: float = 0.0) -> tuple[TraceRow, ...]:
    """Rows from `start` seconds into the trace on; their offsets count from there.

    `text` is CSV with the columns TIMESTAMP (seven fractional digits), ContextTokens, GeneratedTokens, in order of time
    (https://github.com/Azure/AzurePublicDataset, 2023 files). Raises SpecError naming each bad line.
    """
    lines = text.splitlines()
    problems: list[Problem] = []
    if not lines or lines[0] != HEADER:
        raise SpecError((_header_problem(lines[0] if lines else "", file),))
    rows = tuple(_rows(lines, file, problems))
    if not rows and not problems:
        problems.append(Problem(where=Location(file=file), what="the trace has no rows"))
    kept = _from_start(rows, start)
    if rows and not kept and not problems:
        last = (rows[-1][0] - rows[0][0]) / TICKS
        problems.append(Problem(where=Location(file=file), what=f"the trace ends after {last:g}s, before {start:g}s"))
    if problems:
        raise SpecError(tuple(problems[:_MOST_SHOWN]))
    return kept


def _from_start(rows: tuple[tuple[int, int, int], ...], start: float) -> tuple[TraceRow, ...]:
    zero = rows[0][0] + round(start * TICKS) if rows else 0
    return tuple(
        TraceRow(offset=(ticks - zero) / TICKS, prompt_tokens=prompt, answer_tokens=answer)
        for ticks, prompt, answer in rows
        if ticks >= zero
    )


def _header_problem(line: str, file: str) -> Problem:
    return Problem(
        where=Location(file=file, line=1, column=1),
        what="not an Azure 2023 trace: the header is different",
        source=line[:120],
        width=len(line[:120]),
        hint=f"the first line must be exactly {HEADER}",
    )


def _rows(lines: list[str], file: str, problems: list[Problem]) -> Iterator[tuple[int, int, int]]:
    before = 0
    for number, line in enumerate(lines[1:], start=2):
        try:
            ticks, prompt, answer = _row(line, before)
        except _BadRowError as bad:
            where = Location(file=file, line=number, column=bad.column)
            problems.append(Problem(where=where, what=bad.what, source=line, width=bad.width, hint=bad.hint))
            continue
        before = ticks
        yield ticks, prompt, answer


def _row(line: str, before: int) -> tuple[int, int, int]:
    fields = line.split(",")
    if len(fields) != HEADER.count(",") + 1:
        raise _BadRowError(1, max(1, len(line)), f"expected 3 fields, got {len(fields) if line else 0}")
    stamp, prompt, answer = fields
    after_stamp = len(stamp) + 2
    ticks = _ticks(stamp)
    if ticks < before:
        raise _BadRowError(1, len(stamp), "this row is earlier than the row before it", "sort the file by TIMESTAMP")
    return ticks, _count(prompt, after_stamp), _count(answer, after_stamp + len(prompt) + 1)


def _ticks(stamp: str) -> int:
    found = _STAMP.fullmatch(stamp)
    try:
        whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC) if found else None
    except ValueError:
        whole = None
    if not found or not whole:
        raise _BadRowError(1, max(1, len(stamp)), f"not a time: {stamp!r}", "write it as 2023-11-16 18:15:46.6805900")
    return int(whole.timestamp()) * TICKS + int((found[2] or "").ljust(7, "0"))


def _count(text: str, column: int) -> int:
    if not _COUNT.fullmatch(text):
        raise _BadRowError(column, max(1, len(text)), f"not a number of tokens: {text!r}")
    return int(text)
