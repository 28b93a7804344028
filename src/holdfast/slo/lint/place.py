"""Where in an SLO file a query stands, and where in it a metric, a matcher or a function."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml

from holdfast.errors import Location, Problem, SpecError
from holdfast.spec.source import read_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from holdfast.slo.promql import Matcher

_QUOTE: Final = r"\\?[\"']"
Spot = tuple[int, int]
"""Line and column, from 1."""
_NOWHERE: Final = (10**9, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is said; `within` are patterns, of which the first that is found gets the caret."""

    where: Location
    query: str = ""
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One file: its lines, every text written in it with where it begins and ends, and where its SLOs begin."""

    lines: tuple[str, ...]
    written: Mapping[str, tuple[tuple[Spot, Spot], ...]]
    starts: tuple[Spot, ...] = ()

    def find(self, place: Place) -> tuple[Spot, int]:
        """Where the caret stands, and how many columns it covers."""
        start = place.where.line, place.where.column
        end = next((one for one in self.starts if one > start), _NOWHERE)
        values = [span for span in self.written.get(place.query.strip(), ()) if start <= span[0] < end]
        for pattern in place.within:
            for begin, stop in (*values[:1], (start, end)):
                if found := _search(self.lines, re.compile(pattern), begin, stop):
                    return found
        spot = values[0][0] if values else start
        return spot, len(self.lines[spot[0] - 1]) if values else 1


@dataclass(frozen=True, slots=True)
class Pages:
    """Files by the name that locations use."""

    pages: Mapping[str, Page]

    def problem(self, place: Place, what: str, hint: str, code: str) -> Problem:
        """A problem with its line and caret; without them where the text is not known."""
        page = self.pages.get(place.where.file)
        if page is None or not 0 < place.where.line <= len(page.lines):
            return Problem(where=place.where, what=what, hint=hint, code=code)
        spot, width = page.find(place)
        line = page.lines[spot[0] - 1]
        width = max(1, min(width, len(line.rstrip()) - spot[1] + 1))
        where = Location(file=place.where.file, line=spot[0], column=spot[1])
        return Problem(where=where, what=what, source=line, width=width, hint=hint, code=code)


def pages(texts: Mapping[str, str], starts: Iterable[Location]) -> Pages:
    """The files in which things stand at `starts`."""
    found: dict[str, set[Spot]] = {}
    for where in starts:
        found.setdefault(where.file, set()).add((where.line, where.column))
    return Pages({file: _page(text, found.get(file, ())) for file, text in texts.items()})


def _page(text: str, starts: Iterable[Spot]) -> Page:
    lines = tuple(text.splitlines())
    try:
        sources = read_all(text, "", [])
    except SpecError:
        return Page(lines=lines, written={}, starts=tuple(sorted(starts)))
    written: dict[str, list[tuple[Spot, Spot]]] = {}
    for scalar in (one for source in sources for one in _scalars(source.node)):
        begin, end = scalar.start_mark, scalar.end_mark
        span = (begin.line + 1, begin.column + 1), (end.line + 1, end.column + 1)
        written.setdefault(str(scalar.value).strip(), []).append(span)
    return Page(lines=lines, written={key: tuple(one) for key, one in written.items()}, starts=tuple(sorted(starts)))


def _scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.CollectionNode):
        for one in node.value:
            for inner in one if isinstance(one, tuple) else (one,):
                yield from _scalars(inner)


def metric(name: str) -> str:
    """A pattern for a metric's name."""
    return rf"(?<![\w:]){re.escape(name)}(?![\w:])"


def matcher(one: Matcher) -> str:
    """A pattern for a matcher, however it is quoted."""
    value = r"\\*".join(re.escape(letter) for letter in one.value if letter != "\\")
    return rf"(?<!\w){re.escape(one.label)}\s*{re.escape(one.op)}\s*{_QUOTE}\\*{value}{_QUOTE}"


def text(written: str) -> str:
    """A pattern for a text as it is written."""
    return re.escape(written) or "$^"


def word(name: str) -> str:
    """A pattern for a function or a label."""
    return rf"\b{re.escape(name)}\b"


def _search(lines: Sequence[str], wanted: re.Pattern[str], start: Spot, end: Spot) -> tuple[Spot, int] | None:
    for number, line in enumerate(lines[start[0] - 1 : end[0]], start=start[0]):
        found = wanted.search(line, start[1] - 1 if number == start[0] else 0)
        if found and (number, found.start() + 1) < end:
            return (number, found.start() + 1), found.end() - found.start()
    return None
