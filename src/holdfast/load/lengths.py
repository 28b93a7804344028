"""Reads measured lengths: quantiles of prompts and answers, in a file that any trace can be summed up in."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from holdfast.errors import Location, Problem, SpecError
from holdfast.model.load import LengthPoint
from holdfast.model.load.lengths import MOST_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER: Final = "share,prompt_tokens,answer_tokens"
_ENDS: Final = "the first share must be 0 and the last 1: the shortest and the longest"


def read_lengths(text: str, file: str) -> tuple[LengthPoint, ...]:
    """Points of a CSV with the columns share, prompt_tokens, answer_tokens, from share 0 to share 1, none falling.

    Raises SpecError with every problem.
    """
    header, *lines = text.splitlines() or [""]
    if header != HEADER:
        raise SpecError((_problem(file, 1, header, "not a file of lengths", f"the first line must be {HEADER}"),))
    problems: list[Problem] = []
    points = list(_points(lines, file, problems))
    if not problems and (len(points) < 2 or (points[0].share, points[-1].share) != (0.0, 1.0)):  # noqa: PLR2004 - both ends
        problems.append(Problem(where=Location(file=file), what="the lengths have no two ends", hint=_ENDS))
    if not problems:
        problems += _falling(points, lines, file)
    if problems:
        raise SpecError(tuple(problems))
    return tuple(points)


def _points(lines: list[str], file: str, problems: list[Problem]) -> Iterator[LengthPoint]:
    for number, line in enumerate(lines, start=2):
        try:
            share, prompt, answer = line.split(",")
            point = LengthPoint(share=float(share), prompt_tokens=int(prompt), answer_tokens=int(answer))
        except ValueError:
            problems.append(_problem(file, number, line, "expected three numbers", "such as 0.5,1020,129"))
            continue
        lengths = (point.prompt_tokens, point.answer_tokens)
        if not (0 <= point.share <= 1 and all(1 <= length <= MOST_TOKENS for length in lengths)):
            what = f"a share lies between 0 and 1, and a length between 1 and {MOST_TOKENS} tokens"
            problems.append(_problem(file, number, line, what))
        yield point


def _falling(points: list[LengthPoint], lines: list[str], file: str) -> Iterator[Problem]:
    for number, (low, high) in enumerate(pairwise(points), start=3):
        longer = high.prompt_tokens >= low.prompt_tokens and high.answer_tokens >= low.answer_tokens
        if not (high.share > low.share and longer):
            what = "shares must grow from line to line, and lengths must not fall"
            yield _problem(file, number, lines[number - 2], what)


def _problem(file: str, number: int, line: str, what: str, hint: str = "") -> Problem:
    where = Location(file=file, line=number, column=1)
    return Problem(where=where, what=what, source=line[:120], width=len(line[:120]), hint=hint)
