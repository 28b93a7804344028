"""A YAML text as a plain tree that remembers the line and column of every key and value.

Scalars follow YAML 1.2's core schema: `yes`, `no` and `12:30` stay text. Duplicate keys are problems, not overwrites.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

from holdfast.errors import Location, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Path: TypeAlias = tuple[str | int, ...]

_INTEGER: Final = re.compile(r"[-+]?\d{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?", re.ASCII)
_OCTAL: Final = re.compile(r"[-+]?0[0-9]+", re.ASCII)
_CONSTANTS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}
_ELSEWHERE: Final = re.compile(
    r"y|n|yes|no|on|off|[-+]?(?:0x[0-9a-f_]+|0o?[0-7_]+|0b[01_]+|\.inf|[0-9][0-9_]*(?:\.[0-9_]*)?(?::[0-5]?[0-9])*)|\.nan|=|<<",
    re.ASCII | re.IGNORECASE,
)
"""Plain words that YAML 1.1 takes for a truth value, a number or a sign of its own."""
_MOST_NODES: Final = 200_000
_DEEPEST: Final = 60
_TOO_MUCH: Final = "too large or too deep (do aliases repeat?)"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a key or value stands; line and column count from 1."""

    line: int
    column: int
    width: int


@dataclass
class Text:
    """A file's text, and its lines once somebody asks for them."""

    whole: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines, as problems show them."""
        return self.whole.splitlines()


@dataclass(slots=True)
class Source:
    """One YAML document: `tree` of plain values, and where each of them stands.

    `doubts` are values that other readers of YAML may take for something else (`yes`, `0x1F`, what has a tag): places
    and words, for formats that this program shares with others.
    """

    file: str
    text: Text
    node: yaml.Node | None = None
    tree: Any = None
    problems: list[Problem] = field(default_factory=list)
    doubts: list[tuple[Path, str]] = field(default_factory=list)

    def location(self, path: Path, *, key: bool = False) -> Location:
        """The place of a path, or of its nearest known parent."""
        span = self.span(path, key=key)
        return Location(file=self.file, line=span.line, column=span.column)

    def problem(
        self, path: Path, what: str, *, hint: str = "", key: bool = False, code: str = "", fragment: str = ""
    ) -> Problem:
        """A problem at a path, with the source line; at a `fragment` of the text there, where it stands in one line."""
        node = self._node(path, key=key)
        span = self._inside(node, fragment) if node is not None else Span(1, 1, 1)
        return self._at(span, what, hint, code)

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Where a value stands (or its key), or the nearest parent that there is."""
        node = self._node(path, key=key)
        return _width(node) if node is not None else Span(1, 1, 1)

    def _node(self, path: Path, *, key: bool) -> yaml.Node | None:
        label: yaml.Node | None = None
        node = self.node
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            above, (label, node) = node, found
            if isinstance(node, yaml.ScalarNode) and not node.value and not node.style:
                return label or above  # where nothing is, the two loaders disagree about its place
        return label if key and label is not None else node

    def _inside(self, node: yaml.Node, fragment: str) -> Span:
        """The span of a fragment of a scalar; without one, the first line of a block rather than its `|`."""
        block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
        if not (fragment or block):
            return _width(node)
        start, end = node.start_mark, node.end_mark
        for number in range(start.line + block, min(end.line + 1, len(self.text.lines))):
            line = self.text.lines[number]
            wanted = fragment or line.strip()
            column = line.find(wanted, 0 if block or number > start.line else start.column)
            if wanted and column >= 0:
                return Span(number + 1, column + 1, len(wanted))
        return _width(node)

    def _at(self, span: Span, what: str, hint: str = "", code: str = "") -> Problem:
        lines = self.text.lines
        line = lines[span.line - 1] if span.line <= len(lines) else ""
        width = max(1, min(span.width, len(line) - span.column + 1))
        where = Location(file=self.file, line=span.line, column=span.column)
        return Problem(where=where, what=what, source=line, width=width, hint=hint, code=code)


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
    whole = Text(text)
    sources = [_source(node, whole, file) for node in _composed(text, file)]
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


class _TooDeepError(Exception):
    """Nesting that no file of a person has."""


class _Nodes:
    """What both loaders share: no guessing of tags, and no nesting that would exhaust the stack of the one in C."""

    _depth = 0

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:  # noqa: ARG002
        """No tag: a node has one only where the text says so."""
        return ""

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:  # noqa: ARG002
        """Called before each node."""
        self._depth += 1
        if self._depth > 2 * _DEEPEST:
            raise _TooDeepError

    def ascend_resolver(self) -> None:
        """Called after each node."""
        self._depth -= 1


class _Plain(_Nodes, yaml.SafeLoader):
    """The loader that every PyYAML has; its messages are the better ones."""


class _Fast(_Nodes, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The loader in C, where PyYAML was built with it: seven times as fast."""


def _composed(text: str, file: str) -> list[yaml.Node]:
    try:
        return [node for node in yaml.compose_all(text, Loader=_Fast) if node is not None]
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise SpecError((_syntax(text, file, _worded(text, error)),)) from error
    except (RecursionError, _TooDeepError):
        raise SpecError((Source(file, Text(text)).problem((), _TOO_MUCH),)) from None


def _worded(text: str, error: Exception) -> Exception:
    """The same mistake in the words of the plain loader, where it sees one too."""
    try:
        list(yaml.compose_all(text, Loader=_Plain))
    except yaml.YAMLError as plain:
        return plain
    except (RecursionError, _TooDeepError):
        return error
    return error


def _syntax(text: str, file: str, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    span = Span(mark.line + 1, mark.column + 1, 1) if mark else Span(1, 1, 1)
    return Source(file, Text(text))._at(span, f"not YAML: {what}")  # noqa: SLF001 - same idea, same file


def _source(node: yaml.Node, text: Text, file: str) -> Source:
    source = Source(file, text, node=node)
    budget = iter(range(_MOST_NODES))
    source.tree = _plain(source, node, (), budget)
    return source


def _plain(source: Source, node: yaml.Node, path: Path, budget: Iterator[int]) -> Any:
    if next(budget, None) is None or len(path) > _DEEPEST:
        source.problems = source.problems or [source.problem(path, _TOO_MUCH)]
        return None
    if node.tag:
        source.doubts.append((path, f"the tag {node.tag}"))
    if isinstance(node, yaml.ScalarNode):
        return _scalar(source, node, path)
    if isinstance(node, yaml.CollectionNode) and node.flow_style:
        source.doubts += [(path, repr(one.value)) for one in _asking(node)]
    if isinstance(node, yaml.SequenceNode):
        return [_plain(source, item, (*path, index), budget) for index, item in enumerate(node.value)]
    return _mapping(source, node, path, budget)


def _mapping(source: Source, node: yaml.Node, path: Path, budget: Iterator[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            source.problems.append(source._at(_width(key_node), "a key must be plain text"))  # noqa: SLF001
            continue
        key = str(key_node.value)
        here = (*path, key)
        if key in found:
            hint = f"first written in line {source.span(here, key=True).line}"
            source.problems.append(source._at(_width(key_node), f"duplicate key {key!r}", hint))  # noqa: SLF001
            continue
        found[key] = _plain(source, value_node, here, budget)
    return found


def _scalar(source: Source, node: yaml.ScalarNode, path: Path) -> str | int | float | bool | None:
    text = str(node.value)
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        source.problems.append(source.problem(path, "half a character: a surrogate has no meaning alone"))
        return None
    if node.style:  # the loader in C says '' where the other says None
        return text
    lowered = text.lower()
    if lowered in _CONSTANTS:
        return _CONSTANTS[lowered]
    if _INTEGER.fullmatch(text):
        if _OCTAL.fullmatch(text):
            source.doubts.append((path, repr(text)))
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    if _ELSEWHERE.fullmatch(text):
        source.doubts.append((path, repr(text)))
    return text


def _asking(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Plain words with a question mark directly inside braces or brackets: for older readers it is a sign there."""
    pairs = isinstance(node, yaml.MappingNode)
    for one in (part for pair in node.value for part in pair) if pairs else node.value:
        if isinstance(one, yaml.ScalarNode) and not one.style and "?" in one.value:
            yield one


def _step(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    """(key, value) of one step down, the first where a key stands twice."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == step:
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return None, node.value[step]
    return None


def _width(node: yaml.Node) -> Span:
    start, end = node.start_mark, node.end_mark
    # Where a mapping without braces ends, the two loaders disagree; it ends in a later line anyway.
    same = start.line == end.line and not (isinstance(node, yaml.CollectionNode) and not node.flow_style)
    return Span(start.line + 1, start.column + 1, max(1, end.column - start.column) if same else 1)
