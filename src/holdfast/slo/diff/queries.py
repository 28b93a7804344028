"""Two queries compared by what they count: the same events, fewer, more, or nobody can tell from the text."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

import promql_parser
from promql_parser import AggModifierType, AggregateExpr, BinaryExpr, Call, ParenExpr, VectorSelector

from holdfast.slo.promql import parse, selectors

if TYPE_CHECKING:
    from promql_parser import Expr

    from holdfast.slo.promql import Matcher, Selector

_SELECTOR: Final = re.compile(r"""[a-zA-Z_:][\w:]*\{(?:[^"}]|"(?:\\.|[^"\\])*")*\}""")
_ADDING: Final = re.compile(r"(?:\bor\s+vector\(0\)|\b(?:sum|rate|increase)\b|\+|[\s()\[\]]|\d+[smhd]\b|@)*")
"""What may stand between selectors so that more series always give a larger number: sums of rates and nothing else."""
_LITERALS: Final = re.compile(r"[\w -]+(?:\|[\w -]+)*")


class Than(Enum):
    """What the new query counts, measured by the old one."""

    SAME = "the same"
    FEWER = "fewer"
    MORE = "more"
    UNTOLD = "cannot tell"


def compare(old: str, new: str) -> Than:
    """What `new` counts beside `old`, where sums of rates of the same series differ in label matchers alone.

    Raises ValueError where either is not PromQL.
    """
    was, now = parse(old).prettify(), parse(new).prettify()
    if was == now:
        return Than.SAME
    skeleton = _SELECTOR.sub("@", was)
    if skeleton != _SELECTOR.sub("@", now) or not _ADDING.fullmatch(re.sub(r"by \([^)]*\)", "", skeleton)):
        return Than.UNTOLD
    pairs = zip(_SELECTOR.findall(was), _SELECTOR.findall(now), strict=True)
    return _merged({_selected(selectors(one)[0], selectors(other)[0]) for one, other in pairs})


def _merged(found: set[Than]) -> Than:
    changed = found - {Than.SAME}
    return changed.pop() if len(changed) == 1 else Than.UNTOLD if changed else Than.SAME


def _selected(old: Selector, new: Selector) -> Than:
    if old.name != new.name:
        return Than.UNTOLD
    gone, come = set(old.matchers) - set(new.matchers), set(new.matchers) - set(old.matchers)
    labels = {one.label for one in gone | come}
    return _merged({_on(label, gone, come) for label in labels})


def _on(label: str, gone: set[Matcher], come: set[Matcher]) -> Than:
    """What becomes of the series when the matchers of one label change."""
    was, now = ([one for one in side if one.label == label] for side in (gone, come))
    if not was:
        return Than.FEWER
    if not now:
        return Than.MORE
    if len(was) != 1 or len(now) != 1 or _excludes(was[0]) != _excludes(now[0]):
        return Than.UNTOLD
    before, after = _values(was[0]), _values(now[0])
    if not before or not after or not (before <= after or after <= before):
        return Than.UNTOLD
    if before == after:
        return Than.SAME
    return Than.FEWER if (after < before) != _excludes(was[0]) else Than.MORE


def _excludes(matcher: Matcher) -> bool:
    return matcher.op.startswith("!")


def _values(matcher: Matcher) -> frozenset[str]:
    """The values a matcher names one by one; none where it is a pattern."""
    if "~" not in matcher.op:
        return frozenset({matcher.value})
    return frozenset(matcher.value.split("|")) if _LITERALS.fullmatch(matcher.value) else frozenset()


ALL_LABELS: Final = "all labels of its series"


def labels_of(query: str) -> frozenset[str]:
    """The labels by which a query's answer falls into several series; ALL_LABELS where nothing sums them up.

    Raises ValueError where it is not PromQL.
    """
    return _labels(parse(query))


def _labels(node: Expr) -> frozenset[str]:
    if isinstance(node, AggregateExpr):
        if node.modifier is None:
            return frozenset()
        named = frozenset(node.modifier.labels)
        return named if node.modifier.type == AggModifierType.By else frozenset({f"{ALL_LABELS} but {sorted(named)}"})
    if isinstance(node, BinaryExpr):
        return _labels(node.lhs) | _labels(node.rhs)
    if isinstance(node, ParenExpr):
        return _labels(node.expr)
    if isinstance(node, Call):
        inner = [_labels(one) for one in node.args]
        return frozenset() if node.func.name in {"vector", "scalar"} else frozenset().union(*inner)
    series = isinstance(node, VectorSelector | promql_parser.MatrixSelector)
    return frozenset({ALL_LABELS}) if series else frozenset()
