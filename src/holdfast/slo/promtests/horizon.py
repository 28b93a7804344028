"""Calendars and exclusions under promtool, whose clock starts in 1970: the same rules, some seconds earlier.

Only numbers of the generated text that stand for times are moved, so what is tested is what is deployed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.model.slo import DAY, Calendar
from holdfast.slo import counts, rules
from holdfast.slo.calendar import periods
from holdfast.slo.horizon import AHEAD, PERIOD, excluded_ahead, longest, starts_ahead
from holdfast.slo.promtests.records import as_samples, braces
from holdfast.slo.promtests.series import Stretch
from holdfast.slo.promtests.subject import STEPS, Check, down, up

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from holdfast.model.slo import Slo
    from holdfast.slo.promtests.subject import Case, Subject

EXCLUDED: Final = "excluded"
"""The variant of the rules in which an exclusion comes early enough to be seen."""
NAMED: Final = "named"
"""The variant in which the first period that is written out begins at 0."""
AFTER: Final = "after"
"""The variant in which the last exclusion is over, and the next would come if it were written out."""
_CALENDAR: Final = re.compile(r'count_values\("slo_period", vector\([^"]*?\)\)(?= *\)|$|\n)')
_TIME: Final = re.compile(r"(?<=bool )\d{10}\b|(?<=vector\()\d{10}\b|(?<=time\(\) - )\d{10}\b")
_START: Final = re.compile(_TIME.pattern + r"|(?<=\* \()\d{10}\b")
"""In a calendar a time may stand alone: the start of a period that lies in no even run."""
_CALM: Final = 6
_TEN_DAYS: Final = 10 * DAY
_HOUR: Final = 3600.0

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Times:
    """What is asked about: a whole period with another behind it, an exclusion, one too late; Unix seconds."""

    period: Span | None = None
    exclusion: Span | None = None
    too_late: float | None = None
    starts: tuple[float, ...] = ()
    """Of every period that is written out."""
    longest: float = 0.0
    """Seconds of the longest of them."""


def times_of(slo: Slo, today: datetime | None) -> Times:
    """The second period and exclusion from today, and the middle of the exclusion that would come after the last."""
    if today is None:
        return Times()
    now = today.timestamp()
    found = periods(slo.window, now, now + AHEAD) if isinstance(slo.window, Calendar) else ()
    spans = excluded_ahead(slo, today) if slo.exclusions else ()
    coming = [span for span in spans if span[1] > now][:2]
    return Times(
        period=found[1][1] if len(found) > 1 else None,
        exclusion=coming[-1] if coming else None,
        too_late=_too_late(spans),
        starts=starts_ahead(slo, today),
        longest=longest(slo, today),
    )


def _too_late(spans: Sequence[Span]) -> float | None:
    if len(spans) < len(("one before", "the last")):
        return None
    before, (start, end) = spans[-2][0], spans[-1]
    return start + (start - before) + (end - start) / 2


def moved(rule_text: str, *, calendar: float = 0.0, exclusions: float = 0.0) -> str:
    """The same rules with their times so many seconds earlier."""
    parts, end = [], 0
    for found in _CALENDAR.finditer(rule_text):
        parts += [_earlier(rule_text[end : found.start()], exclusions), _earlier(found[0], calendar, _START)]
        end = found.end()
    return "".join([*parts, _earlier(rule_text[end:], exclusions)])


def _earlier(text: str, by: float, times: re.Pattern[str] = _TIME) -> str:
    return times.sub(lambda found: f"{float(found[0]) - by:.0f}", text)


def variants(slo: Slo, rule_text: str, times: Times) -> dict[str, str]:
    """The rules as they are asked, by the name that a case has for them."""
    by = _period_begins(times)
    found = {"": moved(rule_text, calendar=by)}
    if times.exclusion:
        begins = times.exclusion[0] - _CALM * _step(slo, times.exclusion)
        found[EXCLUDED] = moved(rule_text, calendar=by, exclusions=begins)
    if times.starts:
        found[NAMED] = moved(rule_text, calendar=times.starts[0])
    if times.too_late:
        found[AFTER] = moved(rule_text, calendar=by, exclusions=times.too_late - _CALM * counts.window_of(slo))
    return found


def horizon_cases(subject: Subject, times: Times) -> list[Case]:
    """What the rules owe when a period ends, and of times that do not count."""
    made = [_next_period(subject, times.period)] if times.period else []
    made += [_named(subject, times.starts), _goes_on(subject, times)] if times.starts else []
    first = times.exclusion
    if first and first[1] - first[0] >= 3 * _step(subject.slo, first):
        made += [_excluded(subject, first), *_dark(subject, first)]
    return [*made, _counts_again(subject)] if times.too_late else made


def _counts_again(subject: Subject) -> Case:
    """Beyond what is written out nothing is excluded."""
    end = _CALM * subject.tile
    story = subject.stretch(end, min(0.5, subject.slo.budget / 2) if subject.graded else 1.0)
    series, checks = subject.series(story), subject.records_are(end, story)
    return subject.case("nothing is excluded after the last exclusion", end, series, *checks, variant=AFTER)


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


def _named(subject: Subject, starts: Sequence[float]) -> Case:
    """Every ten days, and once beyond the last start: records bear the name of the period that has begun."""
    begun, tile = [start - starts[0] for start in starts], subject.tile
    story, checks = [], []
    for number in range(1, round(up(begun[-1], _TEN_DAYS) / _TEN_DAYS) + 1):
        at = number * _TEN_DAYS
        story += [Stretch(length=_TEN_DAYS - 2 * tile, events=0, dark=True), subject.stretch(2 * tile)]
        name = f"{max(start for start in begun if start <= at):.0f}"
        expr = f"count by ({PERIOD}) ({counts.names_of(subject.slo)[0]}{counts.selector(subject.slo)})"
        checks.append(Check(at=at, expr=expr, samples=(({PERIOD: name}, 1.0),)))
    tick = tile / 2
    series = subject.series(*story, tick=tick)
    return subject.case("each period has its name", _TEN_DAYS, series, *checks, tick=tick, variant=NAMED)


def _goes_on(subject: Subject, times: Times) -> Case:
    """After the last start that is written out its period goes on, and what is older than any period is forgotten."""
    tile, tick, within = subject.tile, subject.tile / 2, times.longest - _HOUR
    begun = times.starts[-1] - times.starts[0]
    at = up(begun + times.longest + DAY, _TEN_DAYS)
    last = subject.stretch(2 * tile, events=0)
    series = subject.series(Stretch(length=at - 2 * tile, events=0, dark=True), last, tick=tick)
    own = braces({**counts.ids(subject.slo), PERIOD: f"{begun:.0f}"})
    for name, values in zip(counts.names_of(subject.slo), ((100.0, 100.0), (10.0, 90.0)), strict=True):
        ages = dict(zip((down(within, tick), up(within + 2 * _HOUR, tick)), values, strict=True))
        series[f"{name}{own}"] = as_samples(ages, at, tick)
    check = subject.ratio_is(at, rules.period_name(subject.slo), 10 / (100 + subject.weight(last)[1] / 2))
    return subject.case("the last period goes on", _TEN_DAYS, series, check, tick=tick, variant=NAMED)


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
