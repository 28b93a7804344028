"""What a query does with each series it reads: over which range, under which functions, grouped by which labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

from holdfast.slo import promql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promql_parser import Expr

    from holdfast.slo.promql import Matcher

_FRACTION: Final = "histogram_fraction"
_KEEPS_LABELS: Final = {"clamp", "clamp_min", "clamp_max", "abs", "ceil", "floor", "round", "rate", "increase", "irate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One place where a query reads series.

    `over` is the function that is given a range of them, "" where they are read at one moment. `inside` has every
    function and aggregation around, `by` every label that one of those keeps by name.
    """

    name: str = ""
    matchers: tuple[Matcher, ...] = ()
    over: str = ""
    inside: frozenset[str] = frozenset()
    by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fraction:
    """One histogram_fraction: of which series, up to which bound; and whether those of single series are added up."""

    name: str
    upper: float
    added: bool


def fractions(query: str) -> tuple[Fraction, ...]:
    """Every histogram_fraction whose bound is written as a number. Raises ValueError where it is not PromQL."""
    return tuple(_fractions(promql.parse(query), added=False))


def uses(query: str) -> tuple[Use, ...]:
    """Every place where a query reads series, from left to right. Raises ValueError where it is not PromQL."""
    return tuple(_uses(promql.parse(query), Use()))


def grouping(query: str) -> tuple[str, ...] | None:
    """The labels that the answer has, as far as they are written; None where that depends on the series."""
    return _grouping(promql.parse(query))


def _uses(node: Expr, around: Use) -> Iterator[Use]:
    if isinstance(node, VectorSelector | MatrixSelector):
        found = promql.selectors(node.prettify())[0]
        over = around.over if isinstance(node, MatrixSelector) else ""
        yield replace(around, name=found.name, matchers=found.matchers, over=over)
    elif isinstance(node, Call):
        name = str(node.func.name)
        for argument in node.args:
            yield from _uses(argument, replace(around, over=name, inside=around.inside | {name}))
    elif isinstance(node, AggregateExpr):
        by = frozenset(node.modifier.labels if node.modifier and _keeps(node) else ())
        yield from _uses(node.expr, replace(around, inside=around.inside | {str(node.op)}, by=around.by | by))
    elif isinstance(node, BinaryExpr):
        yield from _uses(node.lhs, around)
        yield from _uses(node.rhs, around)
    elif isinstance(node, ParenExpr | UnaryExpr | SubqueryExpr):
        yield from _uses(node.expr, around)


def _fractions(node: Expr, *, added: bool) -> Iterator[Fraction]:
    if isinstance(node, Call) and node.func.name == _FRACTION:
        upper, within = node.args[1], node.args[2]
        alone = not isinstance(within, AggregateExpr)
        names = [use.name for use in _uses(within, Use())]
        if isinstance(upper, NumberLiteral) and names:
            yield Fraction(name=names[0], upper=float(upper.val), added=added and alone)
    for part in _parts(node):
        yield from _fractions(part, added=added or isinstance(node, AggregateExpr))


def _parts(node: Expr) -> list[Expr]:
    if isinstance(node, Call):
        return list(node.args)
    if isinstance(node, BinaryExpr):
        return [node.lhs, node.rhs]
    return [node.expr] if isinstance(node, AggregateExpr | ParenExpr | UnaryExpr | SubqueryExpr) else []


def _keeps(node: AggregateExpr) -> bool:
    return node.modifier is not None and node.modifier.type == AggModifierType.By


def _grouping(node: Expr) -> tuple[str, ...] | None:
    if isinstance(node, AggregateExpr):
        written = tuple(sorted(node.modifier.labels)) if node.modifier else ()
        return written if _keeps(node) or node.modifier is None else None
    if isinstance(node, ParenExpr | UnaryExpr):
        return _grouping(node.expr)
    if isinstance(node, Call):
        return () if node.func.name == "vector" else _of_call(node)
    return _of_two(node) if isinstance(node, BinaryExpr) else None


def _of_call(node: Call) -> tuple[str, ...] | None:
    return _grouping(node.args[0]) if node.func.name in _KEEPS_LABELS else None


def _of_two(node: BinaryExpr) -> tuple[str, ...] | None:
    left, right = _grouping(node.lhs), _grouping(node.rhs)
    if isinstance(node.lhs, NumberLiteral):
        return right
    return left if left == right or isinstance(node.rhs, NumberLiteral) else None
