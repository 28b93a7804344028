"""PromQL as a field of an SLO file: what no Prometheus would read, or only once its window is another, is a problem.

Sloth fills Go templates, so `{{.window}}` may have blanks inside; nothing else in braces means anything here.
"""

from __future__ import annotations

import re
from typing import Any, Final

import promql_parser

from holdfast.slo.promql import parse
from holdfast.spec.shapes import FieldError

WINDOW: Final = "{{.window}}"
_PLACE: Final = re.compile(r"\{\{ *\.window *\}\}")
_GLUED: Final = re.compile(r"(?<![\w.])[\w.]+\{\{ *\.window *\}\}|\{\{ *\.window *\}\}[\w.]+")
_TEMPLATE: Final = re.compile(r"\{\{.{0,40}")
_FIXED: Final = re.compile(r"\[\s*\d+(?:ms|[smhdwy])[^\]\n]*\]")
_QUOTED: Final = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`""")
_NUMBER: Final = r"(?:0x[0-9a-f]+|[0-9][0-9.]*(?:e[+-]?[0-9]+)?|\.[0-9]+|inf|nan)(?![\w.])"
_UNITLESS: Final = re.compile(
    rf"(?:\[\s*|\[[^\[\]]*:\s*|\boffset\s*[-+]?\s*){_NUMBER}|@\s*[-+]?\s*(?:[0-9.]+e|[0-9]{{12}}|inf|nan)",
    re.IGNORECASE,
)
_EXAMPLE: Final = f"sum(rate(requests_total[{WINDOW}]))"
_EXPERIMENTAL: Final = re.compile(
    r"\b(?:double_exponential_smoothing|end|first_over_time|info|limit_ratio|limitk|mad_over_time|max_of|min_of|range"
    r"|sort_by_label|sort_by_label_desc|start|step|ts_of_\w+)\b(?=[^\[\]{}\"'`]*\()"
)
"""What Prometheus understands only behind a feature flag, and Sloth not at all."""


def normal(query: str) -> str:
    """The query with its window in one spelling."""
    return _PLACE.sub(WINDOW, query)


def windowed(query: str) -> str:
    """A query over `{{.window}}`, as it is. Raises FieldError where it has none, or is not PromQL."""
    if not _PLACE.search(query):
        raise _without_window(query)
    glued = _GLUED.search(query)
    if glued:
        what = f"{glued[0]} is another length for every window"
        raise FieldError(what, f"write [{WINDOW}]", code="slo/window", fragment=glued[0])
    _parsed(query)
    return query


def at_one_time(query: str) -> str:
    """A query that is a measured value, as it is. Raises FieldError where it asks for a window, or is not PromQL."""
    place = _PLACE.search(query)
    if place:
        what, hint = "a value against a limit is measured at one time", "write a fixed range such as [1m]"
        raise FieldError(what, hint, code="slo/window", fragment=place[0])
    _parsed(query)
    return query


def same(one: str, other: str) -> bool:
    """Whether two queries that parse ask for the same, however they are written."""
    if one == other:
        return True
    return bool(parse(one).prettify() == parse(other).prettify())


def _without_window(query: str) -> FieldError:
    fixed = _FIXED.search(query)
    hint = f"write [{WINDOW}] instead of {fixed[0]}" if fixed else _EXAMPLE
    return FieldError(f"the query has no {WINDOW}", hint, code="slo/window", fragment=fixed[0] if fixed else "")


def _parsed(query: str) -> None:
    filled = _PLACE.sub("5m", query)
    template = _TEMPLATE.search(filled)
    if template:
        what, hint = f"only {WINDOW} is filled in", "PromQL has no other use for two braces"
        raise FieldError(what, hint, code="slo/template", fragment=template[0].split("}}")[0])
    unitless = _UNITLESS.search(_QUOTED.sub('""', filled))
    if unitless:
        what = f"a length of time without a unit: {unitless[0].strip()}"
        raise FieldError(what, "only the newest Prometheus takes it for seconds", code="slo/promql")
    tree = _tree(query)
    while isinstance(tree, promql_parser.ParenExpr):
        tree = tree.expr
    if isinstance(tree, promql_parser.MatrixSelector | promql_parser.SubqueryExpr):
        raise FieldError("a range of samples is no number", _EXAMPLE, code="slo/promql")
    if isinstance(tree, promql_parser.StringLiteral):
        raise FieldError("a text is no number", _EXAMPLE, code="slo/promql")
    flagged = _EXPERIMENTAL.search(filled)
    if flagged and flagged[0] in _names(tree):
        what = f"{flagged[0]} is experimental: most Prometheus servers refuse it, and Sloth does"
        raise FieldError(what, "record it by a rule of your own first", code="slo/promql", fragment=flagged[0])
    if "#" in filled:
        _bracketed(filled)


def _tree(query: str) -> Any:
    try:
        return parse(query)
    except ValueError as error:
        what = f"not PromQL: {(str(error).strip() or 'empty').splitlines()[0]}"
        raise FieldError(what, "try it in Prometheus with 1m", code="slo/promql") from error
    except BaseException as error:  # what the parser throws where its own arithmetic fails is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise FieldError(f"not PromQL: {error}", "is a number too large?", code="slo/promql") from None


def _bracketed(query: str) -> None:
    try:
        promql_parser.parse(f"({query})")
    except ValueError:
        what, hint = "the comment would swallow the bracket that rules put behind the query", "end with a new line"
        raise FieldError(what, hint, code="slo/promql", fragment="#" + query.rpartition("#")[2]) from None


def _names(tree: Any) -> set[str]:
    """The functions and aggregations of a query."""
    found: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.Call):
            found.add(str(node.func.name))
        elif isinstance(node, promql_parser.AggregateExpr):
            found.add(str(node.op))

    promql_parser.walk(tree, visit)
    return found
