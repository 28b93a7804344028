"""PromQL at many times at once, over samples in memory: the part of the language that SLIs and their rules use.

Each time is one instant query, as a rule asks it. Semantics: Prometheus, promql/engine.go; what is not here raises
UnsupportedError, so that no answer is ever nearly right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import numpy as np

from holdfast.slo.evaluate import matching
from holdfast.slo.evaluate.ranges import FUNCTIONS, Ranges
from holdfast.slo.evaluate.vectors import (
    NAME,
    EvaluationError,
    Track,
    UnsupportedError,
    Vector,
    distinct,
    masked,
    milliseconds,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from numpy.typing import NDArray

    from holdfast.slo.evaluate.vectors import Numbers

__all__ = ["EvaluationError", "Track", "UnsupportedError", "Vector", "evaluate"]

LOOKBACK: Final = 300.0
STEP: Final = 60.0

_SETS: Final = {"and", "or", "unless"}
_KEEPS_NAME: Final = {"last_over_time"}
_Value: TypeAlias = "list[Vector] | Numbers | str"


def evaluate(
    query: object,
    tracks: Iterable[Track],
    at: Numbers,
    *,
    prometheus: Literal[2, 3] = 2,
    lookback: float = LOOKBACK,
    step: float = STEP,
) -> list[Vector]:
    """What a query (text, or as promql_parser parsed it) is at each of the Unix seconds `at`; a number is one vector.

    `prometheus` is the server's major version: ranges and lookback include their start in 2 and no longer in 3, where
    also pairs of series that a comparison drops must be unique.
    `lookback` (seconds) is how old an instant vector's sample may be; `step` (seconds) is the one of subqueries that
    name none. Vectors that are never present are left out. Raises ValueError when the text is not PromQL,
    UnsupportedError, and EvaluationError where Prometheus would refuse the series at one of the times.
    """
    scene = _Scene(
        tracks=tuple(tracks),
        at=milliseconds(at),
        as_of_3=prometheus >= 3,  # noqa: PLR2004 - a version
        every=_every(milliseconds(at)),
        lookback=round(lookback * 1000),
        step=round(step * 1000),
    )
    if not len(scene.at):
        return []
    value = scene.value(_parsed(query) if isinstance(query, str) else query)
    if isinstance(value, str):
        raise UnsupportedError("a text is no vector")
    if not isinstance(value, list):
        return [Vector(labels={}, values=value, present=np.ones(len(value), dtype=bool))]
    return [vector for vector in value if vector.present.any()]


def _parsed(query: str) -> object:
    import promql_parser  # noqa: PLC0415 - imported where it is needed

    return promql_parser.parse(query)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scene:
    """The series there are, and the times (ms) at which to look at them: `every` ms, or 0 where not evenly."""

    tracks: tuple[Track, ...]
    at: NDArray[np.int64]
    every: int
    as_of_3: bool
    lookback: int
    step: int

    def value(self, node: Any) -> _Value:
        """What a part of the expression is, at all times."""
        return _NODES[type(node).__name__](self, node)

    def vector(self, node: Any) -> list[Vector]:
        """The same, of a part that the parser has found to be a vector."""
        return cast("list[Vector]", self.value(node))

    def number(self, node: Any) -> Numbers:
        """The same, of a part that the parser has found to be a number."""
        return cast("Numbers", self.value(node))

    def moved(self, selector: Any) -> tuple[NDArray[np.int64], int]:
        """The times that a selector looks at, by `offset` and `@`; and how evenly they lie, as `every`."""
        # @ start() and @ end() of an instant query are its own time.
        if selector.at is None or selector.at.at is None:
            return self.at - _ms(selector.offset), self.every
        fixed = round(selector.at.at.timestamp() * 1000) - _ms(selector.offset)
        return np.full_like(self.at, fixed), 0


def _every(at: NDArray[np.int64]) -> int:
    steps = np.diff(at)
    return int(steps[0]) if len(steps) and steps[0] > 0 and (steps == steps[0]).all() else 0


def _ms(delta: timedelta | None) -> int:
    return round(delta.total_seconds() * 1000) if delta else 0


def _instant(scene: _Scene, node: Any) -> list[Vector]:
    at, every = scene.moved(node)
    found = []
    for track in _selected(scene, node):
        last = track.count(at, every) - 1
        age = at - track.moments()[last]
        present = (last >= 0) & (age < scene.lookback + (not scene.as_of_3))
        if track.stale is not None:
            present &= ~track.stale[last]
        found.append(masked(track.labels, track.values[last], present))
    return distinct(found)


def _selected(scene: _Scene, node: Any) -> list[Track]:
    if node.matchers.or_matchers:
        raise UnsupportedError("matchers joined by `or` cannot be evaluated here")
    wanted = [(name, _matcher(str(op).rpartition(".")[2], value)) for op, name, value in _matchers(node)]
    return [
        track
        for track in scene.tracks
        if len(track.times) and all(fits(track.labels.get(name, "")) for name, fits in wanted)
    ]


def _matchers(node: Any) -> list[tuple[object, str, str]]:
    named = [("Equal", NAME, node.name)] if node.name else []
    return [*named, *((one.op, one.name, one.value) for one in node.matchers.matchers)]


def _matcher(op: str, value: str) -> Callable[[str], bool]:
    if op in {"Equal", "NotEqual"}:
        return lambda text: (text == value) == (op == "Equal")
    pattern = _regex(value)
    return lambda text: (pattern.fullmatch(text) is not None) == (op == "Re")


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UnsupportedError(f"the pattern {text!r} cannot be evaluated here: {error}") from error


def _ranges(scene: _Scene, node: Any) -> list[tuple[Track, NDArray[np.bool_], Ranges]]:
    """The windows of each series that has samples in any, and at which times."""
    if type(node).__name__ == "ParenExpr":
        return _ranges(scene, node.expr)
    length = _ms(node.range)
    inner = type(node).__name__ == "SubqueryExpr"
    end, every = scene.moved(node if inner else node.vector_selector)
    tracks = _subquery(scene, node, end, length) if inner else _selected(scene, node.vector_selector)
    found = []
    for whole in tracks:
        track = whole.unmarked()
        if not len(track.times):
            continue
        first = track.count(end - length - (not scene.as_of_3), every)
        last = track.count(end, every) - 1
        there = last >= first
        if there.any():
            first, last, stop = first[there], last[there], end[there]
            found.append((track, there, Ranges(track, first, last, stop - length, stop, scene.as_of_3)))
    return found


def _subquery(scene: _Scene, node: Any, end: NDArray[np.int64], length: int) -> list[Track]:
    """The inner expression, sampled at whole multiples of the step."""
    step = _ms(node.step) or scene.step
    grid = np.arange(-(-(end.min() - length) // step) * step, end.max() + 1, step, dtype=np.int64)
    vectors = replace(scene, at=grid, every=step).vector(node.expr) if len(grid) else []
    return [Track(labels=one.labels, times=grid[one.present] / 1000, values=one.values[one.present]) for one in vectors]


def _over_time(scene: _Scene, name: str, node: Any) -> list[Vector]:
    found = []
    for track, there, ranges in _ranges(scene, node):
        with np.errstate(all="ignore"):
            values, present = FUNCTIONS[name](ranges)
        row, has = np.full(len(there), np.nan), there.copy()
        row[there], has[there] = values, present
        labels = track.labels if name in _KEEPS_NAME else without(track.labels, NAME)
        found.append(masked(labels, row, has))
    return distinct(found)


def _absent(scene: _Scene, node: Any, present: list[NDArray[np.bool_]]) -> list[Vector]:
    """1 where nothing is present, with the labels that the selector asks for by name."""
    gone = ~np.any(present, axis=0) if present else np.ones(len(scene.at), dtype=bool)
    return [masked(_asked_for(node), np.ones(len(gone)), gone)]


def _asked_for(node: Any) -> dict[str, str]:
    selector = getattr(node, "vector_selector", node)
    if type(selector).__name__ != "VectorSelector":
        return {}
    labels: dict[str, str] = {}
    refused = {NAME}
    for op, name, value in _matchers(selector):
        if str(op).rpartition(".")[2] == "Equal" and name not in labels:
            labels[name] = value
        else:
            refused.add(name)
    return {name: value for name, value in labels.items() if value and name not in refused}


def _unary(scene: _Scene, node: Any) -> _Value:
    value = scene.value(node.expr)
    return _each(value, np.negative) if isinstance(value, list) else -cast("Numbers", value)


def _each(vectors: list[Vector], function: Callable[..., Any], *numbers: Numbers) -> list[Vector]:
    with np.errstate(all="ignore"):
        return distinct(
            masked(without(one.labels, NAME), function(one.values, *numbers), one.present) for one in vectors
        )


def _aggregate(scene: _Scene, node: Any) -> list[Vector]:
    name = str(node.op)
    if name == "count_values":
        return matching.counted_values(str(node.param.val), scene.vector(node.expr), node.modifier)
    if name not in matching.AGGREGATIONS:
        raise UnsupportedError(f"{name}() cannot be evaluated here")
    return matching.aggregated(name, scene.vector(node.expr), node.modifier)


def _binary(scene: _Scene, node: Any) -> _Value:
    """From the innermost left side outwards: hundreds of terms in a row are too deep to descend into."""
    spine = [node]
    while type(first := spine[-1].lhs).__name__ == "BinaryExpr":
        spine.append(first)
    value = scene.value(first)
    for one in reversed(spine):
        value = _operated(scene, one, value, scene.value(one.rhs))
    return value


def _operated(scene: _Scene, node: Any, left: _Value, right: _Value) -> _Value:
    op = str(node.op)
    if op not in _SETS | matching.ARITHMETIC.keys() | matching.COMPARISONS.keys():
        raise UnsupportedError(f"the operator {op} cannot be evaluated here")
    fill = getattr(node.modifier, "fill_values", None)
    if fill is not None and (fill.lhs is not None or fill.rhs is not None):
        raise UnsupportedError("fill values cannot be evaluated here")
    if isinstance(left, list) and isinstance(right, list):
        if op in _SETS:
            return matching.between_sets(op, left, right, node.modifier)
        return matching.between_vectors(op, left, right, node.modifier, as_of_3=scene.as_of_3)
    as_bool = bool(node.modifier and node.modifier.return_bool)
    if isinstance(left, list):
        return matching.with_scalar(op, left, cast("Numbers", right), flipped=False, as_bool=as_bool)
    if isinstance(right, list):
        return matching.with_scalar(op, right, cast("Numbers", left), flipped=True, as_bool=as_bool)
    return matching.between_scalars(op, cast("Numbers", left), cast("Numbers", right))


def _call(scene: _Scene, node: Any) -> _Value:
    name, args = node.func.name, list(node.args)
    if name in FUNCTIONS:
        return _over_time(scene, name, args[0])
    if name in _ELEMENTWISE:
        return _each(scene.vector(args[0]), _ELEMENTWISE[name], *(scene.number(one) for one in args[1:]))
    if name not in _CALLS:
        raise UnsupportedError(f"{name}() cannot be evaluated here")
    return _CALLS[name](scene, *args)


def _scalar(scene: _Scene, node: Any) -> Numbers:
    vectors = scene.vector(node)
    if not vectors:
        return np.full(len(scene.at), np.nan)
    alone = np.sum([one.present for one in vectors], axis=0) == 1
    return np.where(alone, np.fmax.reduce([one.values for one in vectors]), np.nan)


def _clamp(scene: _Scene, node: Any, low: Any, high: Any) -> list[Vector]:
    least, most = scene.number(low), scene.number(high)
    clamped = _each(scene.vector(node), lambda values: np.maximum(least, np.minimum(most, values)))
    return [masked(one.labels, one.values, one.present & ~(most < least)) for one in clamped]


def _label_replace(scene: _Scene, node: Any, *texts: Any) -> list[Vector]:
    target, text, source, pattern = (str(one.val) for one in texts)
    regex = _regex(pattern)

    def labels(old: Mapping[str, str]) -> Mapping[str, str]:
        found = regex.fullmatch(old.get(source, ""))
        if not found:
            return old
        value = _expanded(text, found)
        return {**old, target: value} if value else without(old, target)

    return distinct(replace(one, labels=labels(one.labels)) for one in scene.vector(node))


def _expanded(text: str, found: re.Match[str]) -> str:
    """`$1`, `${1}`, `$name`, `$$`: a group that is not there is empty."""
    groups = {str(number + 1): value for number, value in enumerate(found.groups())} | found.groupdict()
    groups["0"] = found[0]

    def one(part: re.Match[str]) -> str:
        return "$" if part[0] == "$$" else (groups.get(part[1] or part[2]) or "")

    return re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", one, text)


_ELEMENTWISE: Final[dict[str, Callable[..., Any]]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "exp": np.exp,
    "ln": np.log,
    "sqrt": np.sqrt,
    "sgn": np.sign,
    "clamp_min": np.maximum,
    "clamp_max": np.minimum,
}
_CALLS: Final[dict[str, Callable[..., _Value]]] = {
    "absent": lambda scene, node: _absent(scene, node, [one.present for one in scene.vector(node)]),
    "absent_over_time": lambda scene, node: _absent(scene, node, [there for _, there, _ in _ranges(scene, node)]),
    "clamp": _clamp,
    "label_replace": _label_replace,
    "scalar": _scalar,
    "time": lambda scene: scene.at / 1000,
    "vector": lambda scene, node: [
        Vector(labels={}, values=scene.number(node), present=np.ones(len(scene.at), dtype=bool))
    ],
}
_NODES: Final[dict[str, Callable[[_Scene, Any], _Value]]] = {
    "VectorSelector": _instant,
    "NumberLiteral": lambda scene, node: np.broadcast_to(np.float64(node.val), len(scene.at)),
    "StringLiteral": lambda _, node: str(node.val),
    "ParenExpr": lambda scene, node: scene.value(node.expr),
    "UnaryExpr": _unary,
    "BinaryExpr": _binary,
    "AggregateExpr": _aggregate,
    "Call": _call,
}
