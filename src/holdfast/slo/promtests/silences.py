"""What is told of a service that falls silent, or that gives samples and no answer; and of one that never did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from holdfast.model.slo import DAY, Calendar, Events
from holdfast.slo import counts, promql
from holdfast.slo.evaluate.query import Track, evaluate
from holdfast.slo.horizon import PERIOD
from holdfast.slo.promtests.probe import is_selected, queries_of
from holdfast.slo.promtests.records import ages_until, as_samples, braces, end_of, records
from holdfast.slo.promtests.subject import up
from holdfast.units import show_duration

if TYPE_CHECKING:
    from holdfast.slo.promql import Selector
    from holdfast.slo.promtests.probe import Raw
    from holdfast.slo.promtests.subject import Case, Check, Subject

_TICK: Final = 30.0
_LATELY, _AWAY = 90.0, 420.0
"""Seconds since rules were evaluated, such that what is missing may be missed, and such that nobody looked."""
_LOOKED: Final = 360.0
"""Seconds within which rules must have been evaluated for silence to be told."""
_GONE: Final = 1.5
"""How many times longer than may be something that is not missed has been gone."""
_QUIET, _BUSY = 1000.0, 2000.0


def silent_cases(subject: Subject) -> list[Case]:
    """Those that make sense for the SLO."""
    return [*_silences(subject), *_unanswered(subject)]


def _silences(subject: Subject) -> list[Case]:
    """Of a service that is silent: alive and watched until now, not watched, and long gone."""
    end, gone = end_of(subject), _GONE * (counts.dead_after(subject.slo) + counts.WINDOW)
    total, bad = counts.names_of(subject.slo)
    mean = (_QUIET + _BUSY) / 2
    spent = [subject.record_is(end, name, mean) for name in (total, bad)]
    nothing = subject.nothing_is_recorded(end)
    told, untold = ([subject.no_data(end, fires=fires)] if subject.alerts else [] for fires in (True, False))

    def case(name: str, *checks: Check, last: float = _TICK, watched: float = _LATELY) -> Case:
        return subject.case(name, end, _silent(subject, last, watched), *checks, tick=_TICK)

    slo, made = subject.slo, []
    if not (isinstance(slo.indicator, Events) and promql.subtracts(slo.indicator.error_query)):
        made = [
            case("where nobody looked no error is known", subject.record_is(end, bad, 0.0), last=0.0, watched=_AWAY)
        ]
    return [
        *made,
        case(f"what falls silent is given its mean of a day, {mean:g}, and all of it is bad", *spent, *told),
        case("where nobody looked nothing is missed", nothing, *untold, watched=_AWAY),
        case("what was gone before is not missed again", nothing, last=gone),
    ]


def _silent(subject: Subject, last: float, watched: float) -> dict[str, str]:
    """A total for every age from `last` on, and rules that somebody evaluated `watched` seconds ago."""
    end, slo = end_of(subject), subject.slo
    ages = [age for age in ages_until(2 * DAY, _TICK) if age >= last and age != DAY]
    total = {age: 7 * _BUSY if age > DAY else _BUSY if age > DAY / 2 else _QUIET for age in ages}
    given = records(subject, _TICK, {**total, **({up(last, _TICK): "stale"} if last else {})}, {})
    given[f"{counts.AWAKE}{braces({**counts.ids(slo), 'by': 'another'})}"] = as_samples({watched: 1.0}, end, _TICK)
    if isinstance(slo.window, Calendar) and last == _TICK:
        # The record of a period that ended a minute ago: no traffic besides that of the present one.
        former = f"{counts.names_of(slo)[0]}{braces({**counts.ids(slo), PERIOD: 'former'})}"
        given[former] = as_samples({2 * _TICK: _QUIET, _TICK: "stale"}, end, _TICK)
    return given


def _unanswered(subject: Subject) -> list[Case]:
    """Samples came, rules were evaluated, and there is no total since: told, and only where all three are so."""
    slo, read = subject.slo, _read(subject)
    ago = up(counts.dead_after(slo) + counts.WINDOW, _TICK)
    since, then, before = ago - _TICK, ago + 3 * _TICK, ago + counts.WINDOW + _TICK
    if not (subject.alerts and counts.unanswered(slo) and read) or any(_answers(subject, raw, since) for raw in read):
        return []
    others = [raw for raw in subject.probe.series if not any(is_selected(one, raw) for one in _selectors(subject))]

    def case(name: str, seen: dict[Raw, float], watched: float = then, total: float = before, *, told: bool) -> Case:
        series = {raw.text: {age: 1.0} for raw, age in seen.items()}
        series[counts.AWAKE + counts.selector(slo)] = {watched: 1.0}
        given = {name: as_samples(values, end_of(subject), _TICK) for name, values in series.items()}
        given |= records(subject, _TICK, {total: 1.0}, {})
        return subject.case(name, end_of(subject), given, subject.no_data(end_of(subject), fires=told), tick=_TICK)

    whole = dict.fromkeys(read, then)
    new = [case("where rules are new, no answer is missing", whole, watched=since, told=False)]
    if since <= _LOOKED:
        # Then it is silence that is told.
        new = []
    return [
        *(case(f"samples of {raw.name} without an answer are told", {raw: then}, told=True) for raw in read),
        case("where there was an answer since, none is missing", whole, total=before - 2 * _TICK, told=False),
        *new,
        case("where nobody looked, no answer is missing", whole, watched=before, told=False),
        case("a service that has just begun owes no answer", dict.fromkeys(read, since), told=False),
        case(
            "what gave no sample owes no answer",
            {**dict.fromkeys(read, before), **dict.fromkeys(others, then)},
            told=False,
        ),
    ]


def _selectors(subject: Subject) -> tuple[Selector, ...]:
    return promql.selectors(queries_of(subject.slo)[-1])


def _read(subject: Subject) -> list[Raw]:
    """One series for each place where the query of all events reads some; none where one place has none."""
    found = [next((raw for raw in subject.probe.series if is_selected(one, raw)), None) for one in _selectors(subject)]
    return [raw for raw in dict.fromkeys(found) if raw is not None] if None not in found else []


def _answers(subject: Subject, raw: Raw, age: float) -> bool:
    """Whether one sample of that age is enough for an answer."""
    query = promql.WINDOW.sub(show_duration(counts.window_of(subject.slo)), queries_of(subject.slo)[-1])
    sample = Track(labels={"__name__": raw.name, **dict(raw.labels)}, times=np.array([-age]), values=np.array([1.0]))
    return bool(evaluate(query, [sample], np.zeros(1)))
