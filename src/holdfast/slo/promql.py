"""PromQL of SLIs as a tree: which series it reads, and the same query as a count of events that misses none.

`rate` and `increase` see the difference between two samples, so whatever a series already held in its first one is
lost: the first errors a service ever has. Where a series appears on a target that was scraped before, that first value
happened since the last scrape, and counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import promql_parser
from promql_parser import BinaryExpr, Call, Expr, MatrixSelector, NumberLiteral, VectorSelector

WINDOW: Final = re.compile(r"\{\{\s*\.window\s*\}\}")
_MATCHING: Final[dict[str, Op]] = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_SERIES: Final = r"""(?:[a-zA-Z_:][\w:]*\s*)?(?:\{(?:[^"'}]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*\})?"""
_COUNTING: Final = re.compile(
    rf"\b(?:rate|increase)\s*\(\s*(?P<series>{_SERIES})\s*\[\s*{WINDOW.pattern}\s*\](?P<rest>[^()]*)\)"
)
_TARGET: Final = "on(job, instance)"
_STAND_IN: Final = "holdfast_value_"

Op = Literal["=", "!=", "=~", "!~"]


@dataclass(frozen=True, slots=True, order=True)
class Matcher:
    """One condition on a label."""

    label: str
    op: Op
    value: str


@dataclass(frozen=True, slots=True, order=True)
class Selector:
    """The series a query reads in one place; `text` is PromQL, without offset and range."""

    name: str
    matchers: tuple[Matcher, ...]
    text: str


@lru_cache(maxsize=8192)
def parse(query: str, window: str = "5m") -> Expr:
    """The tree of a query, its `{{.window}}` filled in. Raises ValueError with the parser's words."""
    return promql_parser.parse(WINDOW.sub(window, query))


def selectors(query: str) -> tuple[Selector, ...]:
    """Everything a query reads, in order, each once. Raises ValueError where it is not PromQL."""
    found: dict[Selector, None] = {}

    def visit(node: Expr) -> None:
        inner = node.vector_selector if isinstance(node, MatrixSelector) else node
        if isinstance(inner, VectorSelector):
            found.setdefault(_selector(inner))

    promql_parser.walk(parse(query), visit)
    return tuple(found)


def subtracts(query: str) -> bool:
    """Whether a query takes one thing from another, so that without the other it is nothing at all."""
    return not promql_parser.walk(parse(query), lambda node: not (isinstance(node, BinaryExpr) and str(node.op) == "-"))


def may_be_idle(query: str) -> bool:
    """Whether it may give no number of a service that does nothing: it leaves some out, or divides by what may be 0."""
    return not promql_parser.walk(parse(query), lambda node: not _leaves_out(node))


def _leaves_out(node: Expr) -> bool:
    if not isinstance(node, BinaryExpr):
        return False
    op = str(node.op)
    divides = op in {"/", "%"} and not isinstance(node.rhs, NumberLiteral)
    compares = op in {"==", "!=", ">", "<", ">=", "<="} and not (node.modifier and node.modifier.return_bool)
    return divides or compares or op in {"and", "unless"}


def needs_all(query: str) -> bool:
    """Whether a query is silent as soon as a part of it is: nothing in it stands in for what is missing."""
    return promql_parser.walk(parse(query), lambda node: not _stands_in(node))


def _stands_in(node: Expr) -> bool:
    if isinstance(node, BinaryExpr):
        return str(node.op) in {"or", "unless"}
    return isinstance(node, Call) and node.func.name in {"absent", "absent_over_time", "vector"}


def of_tenant(query: str, tenant: str) -> str:
    """The query over one tenant's series alone, and over those that know no tenants; its window must be filled in.

    `label=~"NAME|"` also matches where there is no such label (https://prometheus.io/docs/prometheus/latest/querying/basics).
    """
    values: list[str] = []

    def stand_in(op: promql_parser.MatchOp, label: str, value: str) -> promql_parser.Matcher:
        """The parser writes values as they are, quotes and all: so plain words take their places in its tree."""
        values.append(value)
        return promql_parser.Matcher(op, label, f"{_STAND_IN}{len(values) - 1}_")

    def narrowed(node: Expr) -> Expr | None:
        inner = node.vector_selector if isinstance(node, MatrixSelector) else node
        if not isinstance(inner, VectorSelector):
            return None
        matchers = inner.matchers.matchers
        if any(one.value.startswith(_STAND_IN) for one in matchers):
            return None  # of a range, whose selector was looked at before
        kept = [stand_in(one.op, one.name, one.value) for one in matchers]
        own = stand_in(promql_parser.MatchOp.Re, "tenant", f"{re.escape(tenant)}|")
        inner.matchers = promql_parser.Matchers([*kept, own])
        if isinstance(node, MatrixSelector):
            node.vector_selector = inner
        return promql_parser.parse(str(node))  # the tree takes in new nodes, not changed ones

    text = str(promql_parser.transform(promql_parser.parse(query), None, narrowed))
    return re.sub(rf'"{_STAND_IN}(\d+)_"', lambda found: _quoted(values[int(found[1])]), text)


def counts(query: str) -> bool:
    """Whether `counted` gives numbers of events, whatever unit the query has."""
    return bool(_COUNTING.search(query))


def counted(query: str, window: str, alive: str = "") -> str:
    """The query as events in `window`: every rate an increase, and with the first value of series that are new.

    A series counts as new on a target where a series of the selector `alive` was there before it; without `alive` none
    is. What holds for counters holds for native histograms as well.
    """

    def increase(found: re.Match[str]) -> str:
        series, rest = found["series"].strip(), found["rest"].strip()
        plainly = f"increase({series}[{window}]{rest and ' ' + rest})"
        return plainly if rest or not alive else f"({_new(series, window, alive)} or {plainly})"

    return WINDOW.sub(window, _COUNTING.sub(increase, query))


def _new(series: str, window: str, alive: str) -> str:
    return f"{series} unless {series} offset {window} and {_TARGET} ({alive} and {alive} offset {window})"


def _selector(node: VectorSelector) -> Selector:
    matchers = tuple(Matcher(one.name, _MATCHING[_kind(one)], one.value) for one in node.matchers.matchers)
    name = node.name or next((one.value for one in matchers if (one.label, one.op) == ("__name__", "=")), "")
    text = ",".join(f"{one.label}{one.op}{_quoted(one.value)}" for one in matchers)
    return Selector(name, matchers, f"{node.name or ''}{{{text}}}" if text else str(node.name))


def _kind(matcher: promql_parser.Matcher) -> str:
    return str(matcher.op).rsplit(".", 1)[-1]


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
