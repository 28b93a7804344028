"""Rule groups played over samples: what Prometheus would have recorded and which alerts would have fired.

Rules are evaluated in order, each at all times at once. One that reads its own record is solved as an equation: what
it was before decides what it is, so there is exactly one answer, and an answer that gives itself again is that one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from holdfast.slo.evaluate.query import evaluate
from holdfast.slo.evaluate.reads import reads
from holdfast.slo.evaluate.vectors import NAME, EvaluationError, Track, Vector, distinct, key
from holdfast.slo.promql import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from holdfast.slo.evaluate.vectors import Key, Mask, Numbers

_ROUNDS: Final = 200
_REFUSALS: Final = 20
_EQUAL: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """All that a rule gave: one vector for each set of labels, and when Prometheus would have refused it, and why."""

    rule: Mapping[str, Any]
    vectors: tuple[Vector, ...]
    refused: Mask
    trouble: str = ""


def play(
    groups: Iterable[Mapping[str, Any]], tracks: Iterable[Track], at: Numbers, *, prometheus: Literal[2, 3] = 2
) -> tuple[Played, ...]:
    """Every rule of the groups at the rising Unix seconds `at`, each reading what those before it recorded.

    Alerts have no `for`: their vectors say when they fire. Raises UnsupportedError, and ValueError for no PromQL.
    """
    known, found = list(tracks), []
    for rule in (rule for group in groups for rule in group["rules"]):
        played = _play(rule, known, at, prometheus)
        found.append(played)
        if "record" in rule:
            known += [recorded(one, at) for one in played.vectors]
    return tuple(found)


def recorded(vector: Vector, at: Numbers) -> Track:
    """A vector as samples, with the stale mark that Prometheus writes where the series ends."""
    ends = np.concatenate(([False], vector.present[:-1] & ~vector.present[1:]))
    kept = vector.present | ends
    return Track(labels=vector.labels, times=at[kept], values=vector.values[kept], stale=ends[kept])


def _play(rule: Mapping[str, Any], tracks: list[Track], at: Numbers, prometheus: Literal[2, 3]) -> Played:
    names = {one.selector.name for one in reads(rule["expr"])}
    # A selector without a name may mean any series.
    seen = [one for one in tracks if "" in names or one.labels[NAME] in names]
    if rule.get("record") in names:
        return _own(rule, seen, at, prometheus)
    return _evaluated(rule, seen, at, prometheus)


def _evaluated(rule: Mapping[str, Any], tracks: Sequence[Track], at: Numbers, prometheus: Literal[2, 3]) -> Played:
    """At the times when Prometheus refuses, the rule gives nothing; at all others it does."""
    refused, trouble = np.zeros(len(at), dtype=bool), ""
    for _ in range(_REFUSALS):
        times = at[~refused]
        try:
            vectors = _labelled(rule, evaluate(parse(rule["expr"]), tracks, times, prometheus=prometheus))
        except EvaluationError as error:
            trouble = str(error)
            # A subquery's times are not ours: then nothing is known of any.
            when = error.when if len(error.when) == len(times) else np.ones(len(times), dtype=bool)
            refused[np.flatnonzero(~refused)[when]] = True
        else:
            spread = tuple(_spread(one, ~refused) for one in vectors)
            return Played(rule=rule, vectors=spread, refused=refused, trouble=trouble)
    return Played(rule=rule, vectors=(), refused=np.ones(len(at), dtype=bool), trouble=trouble)


def _labelled(rule: Mapping[str, Any], vectors: Iterable[Vector]) -> list[Vector]:
    """With the rule's own labels; an empty one takes a label away."""
    own = {**rule.get("labels", {}), **({NAME: rule["record"]} if "record" in rule else {})}
    return distinct(
        replace(one, labels={name: value for name, value in ({**_bare(one), **own}).items() if value})
        for one in vectors
    )


def _bare(vector: Vector) -> dict[str, str]:
    return {name: value for name, value in vector.labels.items() if name != NAME}


def _spread(vector: Vector, where: Mask) -> Vector:
    if where.all():
        return vector
    values, present = np.full(len(where), np.nan), np.zeros(len(where), dtype=bool)
    values[where], present[where] = vector.values, vector.present
    return Vector(labels=vector.labels, values=values, present=present)


def _own(rule: Mapping[str, Any], tracks: list[Track], at: Numbers, prometheus: Literal[2, 3]) -> Played:
    """Solved by guessing and trying: each try is right at least one step further, and mostly to the end at once."""

    def given(record: Iterable[Vector]) -> Played:
        before = [replace(recorded(one, at), late=True) for one in record]
        return _evaluated(rule, [*tracks, *before], at, prometheus)

    alone = given(())
    most = given(_held(one) for one in alone.vectors)
    if _same(alone.vectors, most.vectors):
        return alone
    guess, could = alone.vectors, {key(one.labels): one.present for one in most.vectors}
    for _ in range(_ROUNDS):
        played = given(guess)
        if _same(played.vectors, guess):
            return played
        guess = tuple(_continued(one, could.get(key(one.labels), one.present)) for one in played.vectors)
    nothing = np.ones(len(at), dtype=bool)
    return Played(rule=rule, vectors=(), refused=nothing, trouble="the rule reads its own record and does not settle")


def _held(vector: Vector) -> Vector:
    """As if it had never ended: the most that a rule could find of itself."""
    last = np.maximum.accumulate(np.where(vector.present, np.arange(len(vector.present)), -1))
    return Vector(labels=vector.labels, values=vector.values[last], present=last >= 0)


def _continued(vector: Vector, could: Mask) -> Vector:
    """Once it lives on itself it goes on while it can: to the end of each stretch where it could be there."""
    index = np.arange(len(could))
    broken = np.maximum.accumulate(np.where(could, -1, index))
    held = _held(vector)
    last = np.maximum.accumulate(np.where(vector.present, index, -1))
    present = vector.present | (could & (last > broken))
    return Vector(labels=vector.labels, values=np.where(present, held.values, np.nan), present=present)


def _same(ours: Iterable[Vector], theirs: Iterable[Vector]) -> bool:
    one, two = _by_key(ours), _by_key(theirs)
    return one.keys() == two.keys() and all(
        np.array_equal(one[same].present, two[same].present)
        and np.allclose(one[same].values, two[same].values, rtol=_EQUAL, atol=_EQUAL, equal_nan=True)
        for same in one
    )


def _by_key(vectors: Iterable[Vector]) -> dict[Key, Vector]:
    return {key(one.labels): one for one in vectors if one.present.any()}
