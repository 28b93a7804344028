"""A YAML text as a plain tree that remembers the line and column of every key and value.

Scalars follow YAML 1.2's core schema: `yes`, `no` and `12:30` stay text. Duplicate keys are problems, not overwrites.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

from holdfast.errors import Location, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Path: TypeAlias = tuple[str | int, ...]

_INTEGER: Final = re.compile(r"[-+]?\d{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?", re.ASCII)
_CONSTANTS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}
_MOST_NODES: Final = 200_000
_DEEPEST: Final = 60
_TOO_MUCH: Final = "too large or too deep (do aliases repeat?)"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a key or value stands; line and column count from 1."""

    line: int
    column: int
    width: int


@dataclass(slots=True)
class Source:
    """One YAML document: `tree` of plain values, and the spans of all its keys and values by path."""

    file: str
    text: str
    first_line: int = 1
    tree: Any = None
    keys: dict[Path, Span] = field(default_factory=dict)
    values: dict[Path, Span] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def location(self, path: Path, *, key: bool = False) -> Location:
        """The place of a path, or of its nearest known parent."""
        span = self._span(path, key=key)
        return Location(file=self.file, line=span.line, column=span.column)

    def problem(self, path: Path, what: str, *, hint: str = "", key: bool = False) -> Problem:
        """A problem at a path, with the source line."""
        return self._at(self._span(path, key=key), what, hint)

    def _span(self, path: Path, *, key: bool) -> Span:
        tables = (self.keys, self.values) if key else (self.values, self.keys)
        for end in range(len(path), -1, -1):
            for table in tables:
                if path[:end] in table:
                    return table[path[:end]]
        return Span(1, 1, 1)

    def _at(self, span: Span, what: str, hint: str = "") -> Problem:
        lines = self.text.splitlines()
        line = lines[span.line - 1] if span.line <= len(lines) else ""
        width = max(1, min(span.width, len(line) - span.column + 1))
        where = Location(file=self.file, line=span.line, column=span.column)
        return Problem(where=where, what=what, source=line, width=width, hint=hint)


def read(text: str, file: str, problems: list[Problem] | None = None) -> Source:
    """Read exactly one YAML document. Raises SpecError for syntax, duplicate keys, and more or fewer documents.

    Where `problems` is given, duplicate keys are added to it instead, so that the rest can be looked at too.
    """
    documents = read_all(text, file, problems)
    if len(documents) == 1:
        return documents[0]
    what = "the file is empty" if not documents else f"expected one YAML document, found {len(documents)}"
    raise SpecError((Problem(where=Location(file=file, line=1, column=1), what=what),))


def read_all(text: str, file: str, problems: list[Problem] | None = None) -> list[Source]:
    """Read every YAML document of a text. Raises SpecError with all problems found; `problems` as in `read`."""
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
    except yaml.YAMLError as error:
        raise SpecError((_syntax(text, file, error),)) from error
    except RecursionError:
        raise SpecError((Source(file, text).problem((), _TOO_MUCH),)) from None
    sources = [_source(node, text, file) for node in nodes]
    found = [problem for source in sources for problem in source.problems]
    if found and problems is None:
        raise SpecError(tuple(found))
    if problems is not None:
        problems += found
    return sources


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint naming the closest known word, or all of them when none is close."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(names)}" if names else ""


def _syntax(text: str, file: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    span = Span(mark.line + 1, mark.column + 1, 1) if mark else Span(1, 1, 1)
    return Source(file, text)._at(span, f"not YAML: {what}")  # noqa: SLF001 - same idea, same file


def _source(node: yaml.Node, text: str, file: str) -> Source:
    source = Source(file, text, first_line=node.start_mark.line + 1)
    budget = iter(range(_MOST_NODES))
    source.tree = _plain(source, node, (), budget)
    return source


def _plain(source: Source, node: yaml.Node, path: Path, budget: Iterator[int]) -> Any:
    source.values[path] = _width(node)
    if next(budget, None) is None or len(path) > _DEEPEST:
        source.problems = source.problems or [source.problem(path, _TOO_MUCH)]
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(source, node, path, budget)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(source, item, (*path, index), budget) for index, item in enumerate(node.value)]
    return _scalar(node) if isinstance(node, yaml.ScalarNode) else None


def _mapping(source: Source, node: yaml.MappingNode, path: Path, budget: Iterator[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            source.problems.append(source._at(_width(key_node), "a key must be plain text"))  # noqa: SLF001
            continue
        key = str(key_node.value)
        here = (*path, key)
        if key in found:
            first = source.keys[here].line
            source.problems.append(
                source._at(_width(key_node), f"duplicate key {key!r}", f"first written in line {first}")  # noqa: SLF001
            )
            continue
        source.keys[here] = _width(key_node)
        found[key] = _plain(source, value_node, here, budget)
    return found


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    text = str(node.value)
    if node.style is not None:
        return text
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _width(node: yaml.Node) -> Span:
    start, end = node.start_mark, node.end_mark
    same = start.line == end.line
    return Span(start.line + 1, start.column + 1, max(1, end.column - start.column) if same else 1)
