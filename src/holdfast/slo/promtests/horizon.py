"""Calendars and exclusions under promtool, whose clock starts in 1970: the same rules, some seconds earlier.

Only numbers of the generated text that stand for times are moved, so what is tested is what is deployed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.model.slo import Calendar
from holdfast.slo import counts, rules
from holdfast.slo.calendar import excluded, periods
from holdfast.slo.horizon import AHEAD
from holdfast.slo.promtests.series import Stretch
from holdfast.slo.promtests.subject import STEPS, down, up

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from holdfast.model.slo import Slo
    from holdfast.slo.promtests.subject import Case, Subject

EXCLUDED: Final = "excluded"
"""The variant of the rules in which an exclusion comes early enough to be seen."""
_CALENDAR: Final = re.compile(r'count_values\("slo_period", vector\([^"]*?\)\)(?= *\)|$|\n)')
_TIME: Final = re.compile(r"(?<=bool )\d{10}\b|(?<=vector\()\d{10}\b|(?<=time\(\) - )\d{10}\b")
_CALM: Final = 6

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Times:
    """What is asked about: a whole period with another behind it, and an exclusion; Unix seconds."""

    period: Span | None
    exclusion: Span | None


def times_of(slo: Slo, today: datetime | None) -> Times:
    """The second period from today, and the first exclusion."""
    if today is None:
        return Times(None, None)
    now = today.timestamp()
    found = periods(slo.window, now, now + AHEAD) if isinstance(slo.window, Calendar) else ()
    spans = excluded(slo, now, now + AHEAD)
    return Times(found[1][1] if len(found) > 1 else None, spans[0] if spans else None)


def moved(rule_text: str, *, calendar: float = 0.0, exclusions: float = 0.0) -> str:
    """The same rules with their times so many seconds earlier."""
    parts, end = [], 0
    for found in _CALENDAR.finditer(rule_text):
        parts += [_earlier(rule_text[end : found.start()], exclusions), _earlier(found[0], calendar)]
        end = found.end()
    return "".join([*parts, _earlier(rule_text[end:], exclusions)])


def _earlier(text: str, by: float) -> str:
    return _TIME.sub(lambda found: f"{float(found[0]) - by:.0f}", text)


def variants(slo: Slo, rule_text: str, times: Times) -> dict[str, str]:
    """The rules as they are asked, by the name that a case has for them."""
    by = _period_begins(times)
    found = {"": moved(rule_text, calendar=by)}
    if times.exclusion:
        begins = times.exclusion[0] - _CALM * _step(slo, times.exclusion)
        found[EXCLUDED] = moved(rule_text, calendar=by, exclusions=begins)
    return found


def horizon_cases(subject: Subject, times: Times) -> list[Case]:
    """What the rules owe when a period ends, and of times that do not count."""
    made = [_next_period(subject, times.period)] if times.period else []
    first = times.exclusion
    if first and first[1] - first[0] >= 3 * _step(subject.slo, first):
        made += [_excluded(subject, first), *_dark(subject, first)]
    return made


def _period_begins(times: Times) -> float:
    """What is 0 in the tests of a calendar: as many steps before a period's end as it is long, at least."""
    if times.period is None:
        return 0.0
    start, end = times.period
    return end - up(end - start, _long_step(end - start))


def _long_step(length: float) -> float:
    return next((step for step in STEPS if step * 130 >= length), STEPS[-1])


def _step(slo: Slo, span: tuple[float, float]) -> float:
    """How often rules are evaluated around an exclusion: some thirty times in it, but not twice in one record."""
    return next(step for step in (*STEPS, 1e9) if step >= counts.window_of(slo) and step * 30 >= span[1] - span[0])


def _next_period(subject: Subject, period: tuple[float, float]) -> Case:
    """What was spent in one period is given back with the next, and not before."""
    length, whole = period[1] - period[0], rules.period_name(subject.slo)
    step = _long_step(length)
    ends = up(length, step)
    share = 0.5 if subject.graded else 1.0
    story = subject.stretch(4 * step, share), subject.stretch(ends - 2 * step)
    before = subject.truth(story[0], subject.stretch(ends - 5 * step))
    checks = [
        subject.ratio_is(ends - step, whole, before),
        subject.ratio_is(ends + 2 * step, whole, subject.truth(story[1])),
        subject.is_near(
            ends + step, "slo:period_error_budget_remaining:ratio", 1 - subject.truth(story[1]) / subject.slo.budget
        ),
    ]
    tick = subject.tile / 2
    series = subject.series(*story, tick=tick)
    return subject.case("a new period begins with its whole budget", step, series, *checks, tick=tick)


def _excluded(subject: Subject, span: tuple[float, float]) -> Case:
    """What is bad while nothing counts does not, and what is bad after it does."""
    step, tile = _step(subject.slo, span), subject.tile
    begins, length = _CALM * step, span[1] - span[0]
    last = begins + down(length - tile, step)
    after = begins + up(length + tile, step)
    bad = 1.0
    story = (
        subject.stretch(begins),
        subject.stretch(last - begins, bad),
        subject.stretch(after - last),
        subject.stretch(2 * step, bad),
        subject.stretch(2 * step),
    )
    whole = rules.period_name(subject.slo)
    seen = {at: _seen(subject, story, step, at, (begins, begins + length)) for at in (last, after, after + 4 * step)}
    checks = [subject.ratio_is(at, whole, truth) for at, truth in seen.items()]
    checks.append(subject.fire(last))
    name = "what is excluded does not count, and what comes after does"
    return subject.case(name, step, subject.series(*story), *checks, variant=EXCLUDED)


def _dark(subject: Subject, span: tuple[float, float]) -> list[Case]:
    """Nobody is told that a service is dead while nothing counts."""
    step, after = _step(subject.slo, span), counts.dead_after(subject.slo)
    begins, length = _CALM * step, span[1] - span[0]
    at = begins + up(after, step) + step
    if not subject.alerts or at >= begins + length or after < subject.tick:
        return []
    story = subject.stretch(begins), Stretch(length=at - begins + step, events=0, dark=True)
    series = subject.series(*story)
    check = subject.no_data(at, fires=False)
    return [subject.case("no alert of missing data while nothing counts", step, series, check, variant=EXCLUDED)]


def _seen(
    subject: Subject, story: Sequence[Stretch], step: float, until: float, excluded: tuple[float, float]
) -> float:
    """The truth that evaluations see, each of the `tile` before it, less those that do not count."""
    bad = total = start = 0.0
    for one in story:
        moments = [start + step * number for number in range(1, round(one.length / step) + 1)]
        counted = [at for at in moments if at <= until and not excluded[0] <= at < excluded[1]]
        some, every = subject.weight(one)
        bad, total, start = (
            bad + some * len(counted) / len(moments),
            total + every * len(counted) / len(moments),
            start + one.length,
        )
    return bad / total if total else 0.0
