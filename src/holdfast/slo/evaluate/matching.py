"""Operators between vectors, and sums over their labels: who meets whom, as Prometheus matches them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from holdfast.slo.evaluate.vectors import (
    NAME,
    EvaluationError,
    UnsupportedError,
    Vector,
    anywhere,
    distinct,
    key,
    masked,
    only,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from holdfast.slo.evaluate.vectors import Key, Mask, Numbers

_MOST_VALUES: Final = 1000
ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
}
COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


class Matching:
    """How two sides are matched: `on` or `ignoring` labels, and which labels the many take from the one."""

    def __init__(self, modifier: Any) -> None:
        matching = modifier.matching if modifier else None
        self.labels: tuple[str, ...] = tuple(matching.labels) if matching else ()
        self.on = matching is not None and str(matching.type).endswith("Include")
        self.bool = bool(modifier and modifier.return_bool)
        card = str(modifier.card).rpartition(".")[2] if modifier else "OneToOne"
        self.many = {"ManyToOne": "left", "OneToMany": "right"}.get(card, "")
        self.taken: tuple[str, ...] = tuple(modifier.group_labels or ()) if modifier else ()

    def signature(self, labels: Mapping[str, str]) -> Key:
        """What must be equal on both sides."""
        return key(only(labels, self.labels) if self.on else without(labels, NAME, *self.labels))

    def result(self, many: Mapping[str, str], one: Mapping[str, str], *, named: bool) -> dict[str, str]:
        """Labels of what two series make together."""
        labels = dict(many) if named else without(many, NAME)
        if not self.many:
            labels = only(labels, self.labels) if self.on else without(labels, *self.labels)
        return {**without(labels, *self.taken), **only(one, self.taken)}


def between_scalars(op: str, left: Numbers, right: Numbers) -> Numbers:
    """Arithmetic, or 1 and 0 for comparisons."""
    with np.errstate(all="ignore"):
        return np.asarray((ARITHMETIC | COMPARISONS)[op](left, right), dtype=np.float64)


def with_scalar(op: str, vectors: list[Vector], scalar: Numbers, *, flipped: bool, as_bool: bool) -> list[Vector]:
    """A vector on one side, a number on the other; a comparison keeps the vector's values."""
    found = []
    for vector in vectors:
        left, right = (scalar, vector.values) if flipped else (vector.values, scalar)
        values = between_scalars(op, left, right)
        if op in COMPARISONS and not as_bool:
            found.append(masked(vector.labels, vector.values, vector.present & (values > 0)))
        else:
            found.append(masked(without(vector.labels, NAME), values, vector.present))
    return distinct(found)


def between_vectors(
    op: str, left: list[Vector], right: list[Vector], modifier: Any, *, as_of_3: bool = False
) -> list[Vector]:
    """Arithmetic and comparison. Raises EvaluationError where one series meets two, as Prometheus does.

    Before Prometheus 3 those that a comparison drops met nobody.
    """
    matching = Matching(modifier)
    many, ones = (right, left) if matching.many == "right" else (left, right)
    if not many or not ones:
        return []
    by_signature = _by(matching, ones)
    meeting = anywhere(many, many[0].present)
    for same in by_signature.values():
        _at_most_one(same, meeting, "many-to-many matching not allowed: matching labels must be unique on one side")
    found: list[Vector] = []
    met: dict[tuple[Key, Key], list[Vector]] = defaultdict(list)
    for vector in many:
        signature = matching.signature(vector.labels)
        for one in by_signature.get(signature, ()):
            pair = _pair(op, vector, one, matching)
            found.append(pair)
            alike = key(pair.labels) if matching.many else frozenset()
            met[signature, alike].append(replace(pair, present=vector.present & one.present) if as_of_3 else pair)
    for same in met.values():
        _at_most_one(same, meeting, "multiple matches for labels: they must be unique, or the matching many-to-one")
    return distinct(found)


def _pair(op: str, many: Vector, one: Vector, matching: Matching) -> Vector:
    left, right = (one, many) if matching.many == "right" else (many, one)
    values, present = between_scalars(op, left.values, right.values), many.present & one.present
    compared = op in COMPARISONS
    if compared and not matching.bool:
        values, present = left.values, present & (values > 0)
    return masked(
        matching.result(many.labels, one.labels, named=compared and not matching.bool),
        values,
        present,
    )


def _by(matching: Matching, vectors: Iterable[Vector]) -> dict[Key, list[Vector]]:
    found: dict[Key, list[Vector]] = defaultdict(list)
    for vector in vectors:
        found[matching.signature(vector.labels)].append(vector)
    return found


def _at_most_one(vectors: list[Vector], when: Mask, otherwise: str) -> None:
    if len(vectors) < 2:  # noqa: PLR2004 - as the format has it
        return
    doubled = (np.sum([one.present for one in vectors], axis=0) > 1) & when
    if doubled.any():
        raise EvaluationError(f"{otherwise}: {dict(vectors[0].labels)}", doubled)


def between_sets(op: str, left: list[Vector], right: list[Vector], modifier: Any) -> list[Vector]:
    """`and`, `or`, `unless`."""
    matching = Matching(modifier)
    if op == "or":
        return distinct([*left, *_kept(right, _by(matching, left), matching, there=False)])
    return distinct(_kept(left, _by(matching, right), matching, there=op == "and"))


def _kept(vectors: list[Vector], others: dict[Key, list[Vector]], matching: Matching, *, there: bool) -> list[Vector]:
    found = []
    for vector in vectors:
        met = anywhere(others.get(matching.signature(vector.labels), ()), vector.present)
        found.append(masked(vector.labels, vector.values, vector.present & (met if there else ~met)))
    return found


def _sum(group: list[Vector]) -> Numbers:
    total = np.zeros(len(group[0].values))
    for vector in group:
        total += np.where(vector.present, vector.values, 0.0)
    return total


def _count(group: list[Vector]) -> Numbers:
    total = np.zeros(len(group[0].values))
    for vector in group:
        total += vector.present
    return total


def _mean(group: list[Vector]) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _sum(group) / _count(group)


AGGREGATIONS: Final[dict[str, Callable[[list[Vector]], Numbers]]] = {
    "sum": _sum,
    "avg": _mean,
    "count": _count,
    "group": lambda group: np.ones(len(group[0].values)),
    # Absent values are NaN, which these pass over; so does Prometheus with a NaN that is there.
    "min": lambda group: np.fmin.reduce([one.values for one in group]),
    "max": lambda group: np.fmax.reduce([one.values for one in group]),
}


def aggregated(op: str, vectors: list[Vector], modifier: Any) -> list[Vector]:
    """One vector for each group of labels, `by` or `without`."""
    return [
        masked(dict(labels), AGGREGATIONS[op](group), anywhere(group, group[0].present))
        for labels, group in _groups(vectors, modifier).items()
    ]


def counted_values(label: str, vectors: list[Vector], modifier: Any) -> list[Vector]:
    """How often each value occurs, one vector for each. Raises UnsupportedError where there are very many."""
    found = []
    for labels, group in _groups(vectors, modifier).items():
        values = {value for one in group for value in np.unique(one.values[one.present]).tolist()}
        if len(values) > _MOST_VALUES:
            raise UnsupportedError(f"count_values() of more than {_MOST_VALUES} values cannot be evaluated here")
        for value in values:
            same = [masked({}, one.values, one.present & _equal(one.values, value)) for one in group]
            named = {**dict(labels), label: _written(value)}
            found.append(masked(named, _count(same), anywhere(same, group[0].present)))
    return distinct(found)


def _equal(values: Numbers, value: float) -> Mask:
    return np.isnan(values) if np.isnan(value) else np.asarray(values == value)


def _written(value: float) -> str:
    """A number as Prometheus writes it into a label."""
    if np.isfinite(value):
        return np.format_float_positional(value, trim="-")
    return "NaN" if np.isnan(value) else f"{value:+}".replace("inf", "Inf")


def _groups(vectors: list[Vector], modifier: Any) -> dict[Key, list[Vector]]:
    by = modifier is None or str(modifier.type).endswith("By")
    names = tuple(modifier.labels) if modifier else ()
    groups: dict[Key, list[Vector]] = defaultdict(list)
    for vector in vectors:
        groups[key(only(vector.labels, names) if by else without(vector.labels, NAME, *names))].append(vector)
    return groups
