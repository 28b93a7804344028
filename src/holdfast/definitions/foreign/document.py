"""One JSON document or JSON lines, asked for values by their path; whatever is wrong gets its place in the file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from holdfast.errors import Location, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.definitions.summary import Summary

Path = tuple[str | int, ...]
_MISSING: Final = object()
_SHOWN: Final = 100
"""Columns of a source line in a problem; result files may be one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One run of a result file in our rows; `exact` when computed from its requests, not taken from its summary."""

    summary: Summary
    exact: bool
    notes: tuple[str, ...] = ()
    """What cannot be compared, and why."""


class Reader(Protocol):
    """A file in `definitions/foreign/` with `READER` reads one tool's results."""

    def knows(self, document: Document) -> bool:
        """Whether that tool writes such files."""

    def read(self, document: Document) -> tuple[Imported, ...]:
        """Its runs; what is wrong goes to the document's problems."""


@dataclass(slots=True, kw_only=True)
class Document:
    """A parsed file. `lines` says that each item of `value` stands on a line of its own."""

    file: str
    text: str
    value: Any
    lines: bool = False
    problems: list[Problem] = field(default_factory=list)

    def at(self, *path: str | int) -> Any:
        """The value there, None when a step is missing."""
        found = _walk(self.value, path)
        return None if found is _MISSING else found

    def number(self, *path: str | int, needed: bool = False) -> float | None:
        """The number there; None for nothing, null and what is not finite. Where `needed`, nothing is a problem.

        So is anything that is no number.
        """
        found = _walk(self.value, path)
        if found is _MISSING or found is None:
            if needed:
                self.trouble(path, "is missing")
            return None
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            self.trouble(path, f"is not a number but {json.dumps(found)[:40]}")
            return None
        try:
            value = float(found)
        except OverflowError:
            self.trouble(path, "is too large")
            return None
        return value if math.isfinite(value) else None

    def count(self, *path: str | int, needed: bool = False) -> int | None:
        """The whole number there, none below zero; None as for `number`."""
        value = self.number(*path, needed=needed)
        if value is not None and (value < 0 or value != int(value)):
            self.trouble(path, f"is no count: {value:g}")
            return None
        return None if value is None else int(value)

    def numbers(self, *path: str | int) -> list[float] | None:
        """The list of numbers there; None without one, and with an item that is no number, which is a problem."""
        found = self.at(*path)
        if found is None:
            return None
        if not isinstance(found, list):
            self.trouble(path, "is not a list")
            return None
        values = [self.number(*path, index, needed=True) for index in range(len(found))]
        return None if None in values else [value for value in values if value is not None]

    def trouble(self, path: Path, what: str) -> None:
        """Remember what is wrong there."""
        name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        where, line = self._place(path)
        self.problems.append(Problem(where=where, what=f"{name or 'the document'} {what}", source=line))

    def _place(self, path: Path) -> tuple[Location, str]:
        if self.lines and path and isinstance(path[0], int):
            return _location(self.file, self.text, _line_start(self.text, path[0]))
        return _location(self.file, self.text, _offset(self.text, path))


def parse(text: str, file: str) -> Document:
    """A JSON document, or JSON lines. Raises SpecError with the place at which it is neither."""
    try:
        return Document(file=file, text=text, value=json.loads(text))
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and _is_object(lines[0]):
            return Document(file=file, text=text, value=_parse_lines(lines, text, file), lines=True)
        raise SpecError((_syntax(error, text, file),)) from error
    except RecursionError as error:
        problem = Problem(where=Location(file=file), what="lists or mappings are nested too deeply")
        raise SpecError((problem,)) from error


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _parse_lines(lines: Sequence[str], text: str, file: str) -> list[Any]:
    found: list[Any] = []
    for index, line in enumerate(lines):
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError as error:
            start = _line_start(text, index)
            where, source = _location(file, text, start + error.pos)
            raise SpecError((Problem(where=where, what=f"not JSON: {error.msg}", source=source),)) from error
    return found


def _syntax(error: json.JSONDecodeError, text: str, file: str) -> Problem:
    where, source = _location(file, text, error.pos)
    return Problem(where=where, what=f"not JSON: {error.msg}", source=source, hint="was the tool stopped half-way?")


def _walk(value: Any, path: Path) -> Any:
    for step in path:
        inside = isinstance(value, dict) and step in value
        if not inside and not (isinstance(value, list) and isinstance(step, int) and step < len(value)):
            return _MISSING
        value = value[step]
    return value


def _location(file: str, text: str, offset: int) -> tuple[Location, str]:
    line = text.count("\n", 0, offset) + 1
    start = text.rfind("\n", 0, offset) + 1
    column = offset - start + 1
    end = text.find("\n", start)
    source = text[start : len(text) if end < 0 else end]
    return Location(file=file, line=line, column=column), source if len(source) <= _SHOWN else ""


def _line_start(text: str, index: int) -> int:
    """Where the line begins that is number `index` of those that are not blank."""
    start = 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            if index == 0:
                return start
            index -= 1
        start += len(line)
    return start


def _offset(text: str, path: Path) -> int:
    """Where the value at this path begins, or the last of its parents that is there."""
    at = _blank(text, 0)
    for step in path:
        found = _inside(text, at, step)
        if found is None:
            return at
        at = found
    return at


def _inside(text: str, at: int, step: str | int) -> int | None:
    decoder, opened = json.JSONDecoder(), text[at]
    if opened not in "{[":
        return None
    index, at = 0, _blank(text, at + 1)
    while text[at] not in "}]":
        key: str | int = index
        if opened == "{":
            key, at = decoder.raw_decode(text, at)
            at = _blank(text, _blank(text, at) + 1)
        if key == step:
            return at
        _, at = decoder.raw_decode(text, at)
        at = _blank(text, at)
        at, index = (_blank(text, at + 1) if text[at] == "," else at), index + 1
    return None


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def said(tool: Mapping[str, str], rows: Mapping[str, object]) -> dict[str, str]:
    """The tool's words for the rows that a file has, in the tool's order."""
    return {row: words for row, words in tool.items() if row in rows}
