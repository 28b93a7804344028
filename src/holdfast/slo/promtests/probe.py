"""Which raw series make a good event and which a bad one: found by asking the SLI's own queries, not by guessing.

Every selector of the queries is given series that satisfy it and series that just do not. Each is moved alone, then
with others, and what the queries answer says what it stands for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain, combinations, product
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import promql_parser
from promql_parser import AggregateExpr, BinaryExpr, Call, Expr, MatrixSelector

from holdfast.model.slo import Events, Slo, Threshold
from holdfast.slo import promql
from holdfast.slo.evaluate.query import EvaluationError, Track, UnsupportedError, evaluate
from holdfast.slo.promtests.regexes import examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from holdfast.slo.promql import Matcher, Selector

WINDOW: Final = 300.0
_STEP: Final = 60.0
_COUNTING: Final = {"rate", "increase", "irate", "idelta", "delta", "resets", "changes", "deriv"}
_NEAR: Final = 1e-9
_MOST_SETS: Final = 48
_MOST_KINDS: Final = 4
_TARGET: Final = {"instance": "probe:1", "job": "probe"}

Labels: TypeAlias = tuple[tuple[str, str], ...]


class CannotTestError(ValueError):
    """There is no telling which series to move, and why."""


@dataclass(frozen=True, slots=True, order=True)
class Raw:
    """One series as Prometheus would scrape it; a counter rises by events, a gauge stands at a level."""

    name: str
    labels: Labels
    counter: bool = True

    @property
    def text(self) -> str:
        """As promtool writes series."""
        pairs = ",".join(f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in self.labels)
        return f"{self.name}{{{pairs}}}"

    def with_labels(self, labels: Mapping[str, str]) -> Raw:
        """The same on another target."""
        return Raw(self.name, tuple(sorted({**dict(self.labels), **labels}.items())), self.counter)


Moves: TypeAlias = Mapping[Raw, float]
"""How each series moves: a counter by events in five minutes, a gauge to a level; all others are there, and at 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How to make events of an SLO: each way adds up to one event (a counter), or says where gauges stand."""

    good: tuple[Moves, ...]
    bad: tuple[Moves, ...]
    ignored: tuple[Raw, ...] = ()
    """Series that must not count, next to those that do."""
    graded: bool = True
    """Whether good and bad can be mixed in any share; otherwise all is good or all is bad at one time."""
    series: tuple[Raw, ...] = field(default=())

    def mixed(self, share: float) -> dict[Raw, float]:
        """Moves of one event, `share` of it bad, spread over all ways there are."""
        moves = dict.fromkeys(self.series, 0.0)
        for ways, part in ((self.good, 1 - share), (self.bad, share)):
            for way in ways:
                for raw, amount in way.items():
                    moves[raw] += amount * part / len(ways)
        return moves


def probe(slo: Slo) -> Probe:
    """Find what makes good and bad events of `slo`. Raises CannotTestError with the reason, in words."""
    try:
        candidates = tuple(_candidates(queries_of(slo)))
        if isinstance(slo.indicator, Threshold):
            return _levels(slo.indicator, candidates)
        if not any(raw.counter for raw in candidates):
            return _stands(slo, candidates)
        found = _events(slo, candidates)
    except (ValueError, EvaluationError, UnsupportedError) as error:
        raise CannotTestError(str(error)) from error
    _check(slo, found)
    return found


def queries_of(slo: Slo) -> tuple[str, ...]:
    """The PromQL an SLO was written with."""
    indicator = slo.indicator
    return (indicator.error_query, indicator.total_query) if isinstance(indicator, Events) else (indicator.query,)


def response(slo: Slo, moves: Moves) -> tuple[float, float]:
    """Bad events and all events while series move so; NaN where a query is silent. A ratio is of one event."""
    answers = [_answer(promql.counted(query, "5m"), moves) for query in queries_of(slo)]
    return (answers[0], answers[1]) if isinstance(slo.indicator, Events) else (answers[0], 1.0)


def is_selected(selector: Selector, raw: Raw) -> bool:
    """Whether a selector reads a series."""
    return not math.isnan(_answer(f"count({selector.text})", {raw: 1.0}))


def _answer(query: str, moves: Moves) -> float:
    """What a query gives at the end of ten minutes in which series move so; NaN when it gives nothing."""
    times = np.arange(-2 * WINDOW, 1, _STEP)
    tracks = [
        Track(
            labels={"__name__": raw.name, **dict(raw.labels)},
            times=times,
            values=(times - times[0]) * amount / WINDOW if raw.counter else np.full(len(times), amount),
        )
        for raw, amount in moves.items()
    ]
    vectors = evaluate(query, tracks, np.zeros(1))
    if len(vectors) > 1:
        raise CannotTestError("a query gives more than one series: put sum() around it")
    return float(vectors[0].values[0]) if vectors else math.nan


def _events(slo: Slo, candidates: Sequence[Raw]) -> Probe:
    """Every way that is one event, moved alone or with one or two more."""
    ways: dict[str, list[Moves]] = {"good": [], "bad": [], "ignored": [], "odd": []}
    for raw in candidates:
        kind, way = _kind(slo, [raw], candidates)
        ways[kind].append(way)
    pool = [raw for kind in ("odd", "bad", "good", "ignored") for way in ways[kind] for raw in way]
    for several in chain(combinations(pool, 2), combinations(pool, 3)):
        if ways["good"] and ways["bad"]:
            break
        kind, way = _kind(slo, several, candidates)
        if not ways[kind]:
            ways[kind].append(way)
    return _chosen(ways, candidates)


def _kind(slo: Slo, several: Sequence[Raw], candidates: Sequence[Raw]) -> tuple[str, Moves]:
    """What series stand for that move alike, and by how much for one event."""
    bad, total = response(slo, {**dict.fromkeys(candidates, 0.0), **dict.fromkeys(several, 1.0)})
    way = dict.fromkeys(several, 1.0 / total if total > 0 else 1.0)
    if isinstance(slo.indicator, Events) and abs(bad) < _NEAR and abs(total) < _NEAR:
        return "ignored", way
    if not total > 0:
        return "odd", way
    share = bad / total
    return ("good" if abs(share) < _NEAR else "bad" if abs(share - 1) < _NEAR else "odd"), way


def _chosen(ways: Mapping[str, list[Moves]], candidates: Sequence[Raw]) -> Probe:
    missing = [kind for kind in ("good", "bad") if not ways[kind]]
    if missing:
        tried = ", ".join(raw.text for raw in candidates[:_MOST_KINDS])
        raise CannotTestError(f"no series was found that makes a {' or a '.join(missing)} event; tried {tried}")
    good, bad = (tuple(ways[kind][:_MOST_KINDS]) for kind in ("good", "bad"))
    moved = {raw for way in (*good, *bad) for raw in way}
    rest = tuple(raw for way in ways["ignored"] for raw in way if raw not in moved)[:_MOST_KINDS]
    return Probe(good=good, bad=bad, ignored=rest, series=tuple(sorted({*moved, *rest})))


def _stands(slo: Slo, candidates: Sequence[Raw]) -> Probe:
    """Gauges that say how it is, such as `up`: 1 and 0, one of which must be good."""
    found: dict[str, Moves] = {}
    for level in (0.0, 1.0):
        moves = dict.fromkeys(candidates, level)
        bad, total = response(slo, moves)
        found["bad" if total > 0 and abs(bad / total - 1) < _NEAR else "good" if abs(bad) < _NEAR else ""] = moves
    if not {"good", "bad"} <= found.keys():
        raise CannotTestError("neither 0 nor 1 of its gauges is good where the other is bad")
    return Probe(good=(found["good"],), bad=(found["bad"],), graded=False, series=tuple(candidates))


def _check(slo: Slo, found: Probe) -> None:
    """A tenth of the events bad is a tenth, and what is ignored changes nothing."""
    noise = dict.fromkeys(found.ignored, 7.0)
    bad, total = response(slo, {**found.mixed(0.1), **noise})
    if not (abs(bad - 0.1) < _NEAR and abs(total - 1) < _NEAR):
        raise CannotTestError(f"one event in ten was bad, but the queries say {bad:g} of {total:g}: they do not add up")


def _levels(indicator: Threshold, candidates: Sequence[Raw]) -> Probe:
    """Where all series stand together while a measured value is within its limit, and where it is not."""
    query, limit = promql.WINDOW.sub("5m", indicator.query), indicator.value
    around = (limit, limit / 2, limit * 2, 1.0, 0.0, limit * 10, limit * WINDOW, limit * WINDOW * 2, limit * WINDOW / 2)
    steps = [step for level in around for step in (level * 0.99, level * 1.01)]
    found: dict[bool, Moves] = {}
    for step in steps:
        moves = dict.fromkeys(candidates, step)
        value = _answer(query, moves)
        if not math.isnan(value):
            found.setdefault(_within(indicator, value), moves)
    if len(found) < len((True, False)):
        raise CannotTestError(
            f"no level was found on both sides of {limit:g}; tried {', '.join(f'{s:g}' for s in steps)}"
        )
    good, bad = found[True], found[False]
    unread = [raw for raw in candidates if not _is_read(query, raw, good)]
    # What is not read stands where it would be wrong, so that a rule which reads it is found out.
    good, bad = ({**one, **{raw: other[raw] for raw in unread}} for one, other in ((good, bad), (bad, good)))
    return Probe(good=(good,), bad=(bad,), graded=False, series=tuple(candidates))


def _is_read(query: str, raw: Raw, moves: Moves) -> bool:
    """Whether the answer depends on a series."""
    plain, others = _answer(query, moves), (_answer(query, {**moves, raw: level}) for level in (1e9, -1e9))
    return any(other != plain for other in others)


def _within(indicator: Threshold, value: float) -> bool:
    limit = indicator.value
    if indicator.op in ("lt", "lte"):
        return value < limit or (indicator.op == "lte" and value == limit)
    return value > limit or (indicator.op == "gte" and value == limit)


def _candidates(queries: Iterable[str]) -> Iterator[Raw]:
    """Series for every selector: such as satisfy it, and of the same name such as do not."""
    found: dict[str, list[Selector]] = {}
    for query in queries:
        for selector in promql.selectors(query):
            found.setdefault(_name(selector), []).append(selector)
    counters = {name for query in queries for name in _counters(promql.parse(query))}
    shared = {label: "probe" for query in queries for label in _joined(promql.parse(query))}
    for name, several in found.items():
        for labels in _label_sets([one.matchers for one in several], {**_TARGET, **shared}):
            yield Raw(name, labels, name in counters)


def _name(selector: Selector) -> str:
    if selector.name:
        return selector.name
    named = [one for matcher in selector.matchers if matcher.label == "__name__" for one in _values(matcher)]
    if not named:
        raise CannotTestError(f"{selector.text} does not say which metric it reads")
    return named[0]


def _label_sets(several: Sequence[Sequence[Matcher]], given: Mapping[str, str]) -> list[Labels]:
    """Combinations of values that decide about one of the matchers, without labels that are empty."""
    values: dict[str, dict[str, None]] = {label: {value: None} for label, value in sorted(given.items())}
    for matcher in (one for matchers in several for one in matchers if one.label != "__name__"):
        if matcher.label in given:
            values[matcher.label] = dict.fromkeys(_values(matcher) or [given[matcher.label]])
        else:
            values.setdefault(matcher.label, {}).update(dict.fromkeys(_values(matcher)))
    for label, known in values.items():
        if label not in given:
            known["other"] = None
    sets = [tuple(sorted((k, v) for k, v in zip(values, one, strict=True) if v)) for one in product(*values.values())]
    return sets[:_MOST_SETS]


def _values(matcher: Matcher) -> list[str]:
    """What a label may be to satisfy a matcher or to fail it."""
    return list(examples(matcher.value)) if matcher.op in ("=~", "!~") else [matcher.value]


def _counters(tree: Expr) -> set[str]:
    """Names of metrics whose change is read, not their value."""
    found: set[str] = set()

    def visit(node: Expr) -> None:
        if isinstance(node, Call) and node.func.name in _COUNTING:
            inside = [one.vector_selector for one in node.args if isinstance(one, MatrixSelector)]
            found.update(_name(one) for selector in inside for one in promql.selectors(selector.prettify()))

    promql_parser.walk(tree, visit)
    return found


def _joined(tree: Expr) -> set[str]:
    """Labels that series are grouped or matched by, which they should have."""
    found: set[str] = set()

    def visit(node: Expr) -> None:
        if isinstance(node, AggregateExpr) and node.modifier and "By" in str(node.modifier.type):
            found.update(node.modifier.labels)
        if isinstance(node, BinaryExpr) and node.modifier and node.modifier.matching:
            found.update(node.modifier.matching.labels)

    promql_parser.walk(tree, visit)
    return found - {"le"}
