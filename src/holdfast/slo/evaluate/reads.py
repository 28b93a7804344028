"""Which series a query reads, and how far back.

By hand, since the parser's own walk copies what lies below each node: four hundred terms in a row take it seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from holdfast.slo import promql

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Read:
    """A selector in a query, and how many seconds before its own time the query looks with it."""

    selector: promql.Selector
    back: float


@lru_cache(maxsize=4096)
def reads(query: str) -> tuple[Read, ...]:
    """Everything that a query reads. Raises ValueError where it is not PromQL."""
    return tuple(dict.fromkeys(_reads(promql.parse(query))))


def _reads(root: Any) -> Iterator[Read]:
    waiting: list[tuple[Any, float]] = [(root, 0.0)]
    while waiting:
        node, back = waiting.pop()
        kind = type(node).__name__
        if kind in {"VectorSelector", "MatrixSelector"}:
            inner = getattr(node, "vector_selector", node)
            length = _seconds(getattr(node, "range", None))
            for selector in promql.selectors(str(inner)):
                yield Read(selector, back + length + _seconds(inner.offset))
            continue
        if kind == "SubqueryExpr":
            back += _seconds(node.range) + _seconds(node.offset)
        parts = (getattr(node, name, None) for name in ("lhs", "rhs", "expr", "param"))
        waiting += [(part, back) for part in (*parts, *getattr(node, "args", ())) if part is not None]


def _seconds(delta: Any) -> float:
    return float(delta.total_seconds()) if delta else 0.0
