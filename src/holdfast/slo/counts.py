"""The two records that every native rule is made of: all events of the last minutes, and the bad ones.

What each clause is there for stands in docs/decisions/007-rules-from-counts.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.model.slo import Calendar, Events, Occurrences, Slo, Threshold, Timeslices
from holdfast.slo import horizon, promql
from holdfast.slo.horizon import PERIOD
from holdfast.slo.tiers import threshold, tiers_of
from holdfast.units import show_duration

if TYPE_CHECKING:
    from datetime import datetime

WINDOW: Final = 300.0
IDS: Final = ("sloth_id", "sloth_service", "sloth_slo")
AWAKE: Final = "slo:objective:ratio"
"""A record that is there whenever rules are evaluated."""
_SOONEST, _LATEST = 120.0, 900.0
_OPERATORS: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def ids(slo: Slo) -> dict[str, str]:
    """The labels that name an SLO; Sloth's, so that dashboards made for Sloth work."""
    return dict(zip(IDS, (slo.rule_id, slo.service, slo.name), strict=True))


def selector(slo: Slo) -> str:
    """PromQL for the series of an SLO, to stand behind a metric's name."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in ids(slo).items()) + "}"


def window_of(slo: Slo) -> float:
    """Seconds that one value of the two records looks back: five minutes, or the length of a slice."""
    return WINDOW if isinstance(slo.budgeting, Occurrences) else slo.budgeting.length


def names_of(slo: Slo) -> tuple[str, str]:
    """The metrics that record all events and bad ones."""
    window = show_duration(window_of(slo))
    return f"slo:sli_total:increase{window}", f"slo:sli_bad:increase{window}"


def counts_events(slo: Slo) -> bool:
    """Whether the records are numbers of events, so that an alert can ask for so many bad ones."""
    by_event = isinstance(slo.budgeting, Occurrences)
    return by_event and isinstance(slo.indicator, Events) and promql.counts(slo.indicator.error_query)


def dead_after(slo: Slo) -> float:
    """Seconds without a sample after which a service is dead: what its quickest page lets a total outage burn."""
    if slo.dead_after is not None:
        return slo.dead_after
    quickest = tiers_of(slo.period)[0]
    return min(_LATEST, max(_SOONEST, round(threshold(quickest, slo) * quickest.long / 60) * 60))


def unseen(slo: Slo) -> str:
    """PromQL that is there, without labels, when nothing of what counts all events had a sample for so long."""
    after = show_duration(dead_after(slo))
    found = promql.selectors(_everything(slo))
    return " and ".join(f"max(absent_over_time({one.text}[{after}]))" for one in found)


def silence(slo: Slo) -> str:
    """The same, when rules were evaluated some minutes ago: a Prometheus that was away has seen nobody fall silent."""
    return f"{unseen(slo)} and max(present_over_time({AWAKE}{selector(slo)}[5m] offset 1m))"


def unanswered(slo: Slo) -> str:
    """PromQL that is there, without labels, when samples came and rules were evaluated, and there is no total since.

    Empty where an idle service may have none.
    """
    if promql.may_be_idle(_everything(slo)):
        return ""
    ago = dead_after(slo) + WINDOW
    total = f"{names_of(slo)[0]}{selector(slo)}[{show_duration(ago + WINDOW)}]"

    def were(series: str) -> str:
        return f"max(present_over_time({series}[{show_duration(WINDOW)}] offset {show_duration(ago)}))"

    samples = " or ".join(were(one.text) for one in promql.selectors(_everything(slo)))
    return f"max(absent_over_time({total})) and {were(AWAKE + selector(slo))} and ({samples})"


def total_expr(slo: Slo, today: datetime | None = None) -> str:
    """All events of the window; a service that was alive and fell silent is given its mean of the last day.

    Raises ValueError where it takes `today` to write it.
    """
    series = f"{names_of(slo)[0]}{selector(slo)}"
    named = horizon.period_label(slo, today)
    # Longer than silence takes to be noticed: a gauge's record ends with the gauge itself.
    lately = show_duration(dead_after(slo) + WINDOW)
    mean = f"avg_over_time({series}[1d]) and present_over_time({series}[{lately}])"
    expected = f"max without ({PERIOD}) ({mean})" if named else mean
    expr = f"{_total(slo)}\nor {_ignoring(slo)}\n({expected} and on() ({silence(slo)}))"
    if times := horizon.exclusions(slo, today):
        expr = f"(\n{expr}\n)\n* (1 - ({times}))"
    return f"(\n{expr}\n)\n* on() group_left({PERIOD}) {named}" if named else expr


def bad_expr(slo: Slo) -> str:
    """The bad ones among them: none where no error was ever seen, all where that is not known, never more than all.

    What is all events less the good ones is there with both; where it is not, no good one was ever seen, or nothing.
    """
    total = f"{names_of(slo)[0]}{selector(slo)}"
    errors = f"0 * {total} + {_ignoring(slo)} group_left() clamp_min({_bad(slo)}, 0)"
    less_good = isinstance(slo.indicator, Events) and promql.subtracts(slo.indicator.error_query)
    known = errors if less_good else f"({errors} or 0 * {total})"
    dead = "" if less_good and _falls_silent_too(slo) else f"({total} and on() ({silence(slo)}))\nor\n"
    return f"{dead}{known} < {total}\nor\n{total}"


def _falls_silent_too(slo: Slo) -> bool:
    """Whether there is no answer about errors once all events are silent."""
    if not isinstance(slo.indicator, Events):
        return False
    every, bad = (set(promql.selectors(query)) for query in (slo.indicator.total_query, slo.indicator.error_query))
    return every <= bad and promql.needs_all(slo.indicator.error_query) and dead_after(slo) >= window_of(slo)


def _everything(slo: Slo) -> str:
    return slo.indicator.total_query if isinstance(slo.indicator, Events) else slo.indicator.query


def _total(slo: Slo) -> str:
    if isinstance(slo.indicator, Events) and isinstance(slo.budgeting, Occurrences):
        return f"{_counted(slo, slo.indicator.total_query)} >= 0 < Inf"
    # A slice weighs 1 when there is a number for it, whichever: a comparison with NaN is 0.
    least = "-Inf" if isinstance(slo.indicator, Threshold) else "0"
    return f"{_plain(slo, _everything(slo))} >= bool {least}"


def _bad(slo: Slo) -> str:
    """Bad events beside a total of all; or of a slice, which weighs 1, how much of it was bad."""
    one = slo.indicator
    if isinstance(one, Threshold):
        return _unless(f"{_counted(slo, one.query)} {_OPERATORS[one.op]} bool {one.value:.12g}")
    if not isinstance(one, Events):
        return _slice(slo, _counted(slo, one.query), "")
    bad, total = (_counted(slo, query) for query in (one.error_query, one.total_query))
    return bad if isinstance(slo.budgeting, Occurrences) else _slice(slo, bad, total)


def _slice(slo: Slo, bad: str, total: str) -> str:
    if isinstance(slo.budgeting, Timeslices):
        allowed = f"{round(1 - slo.budgeting.target, 12):.12g}"
        return _unless(f"{bad} <= bool {allowed}{total and ' * ' + total}")
    return f"({bad} / ({total} > 0) or {total} == 0)" if total else bad


def _unless(good: str) -> str:
    """1 unless it is known to be good: a comparison with NaN is 0."""
    return f"(1 - ({good}))"


def _counted(slo: Slo, query: str) -> str:
    """A query in the unit of its indicator: events, or whatever it measures."""
    if not isinstance(slo.indicator, Events):
        return _plain(slo, query)
    alive = promql.selectors(slo.indicator.total_query)[0].text
    return _lines(promql.counted(query, show_duration(window_of(slo)), alive))


def _plain(slo: Slo, query: str) -> str:
    return _lines(promql.WINDOW.sub(show_duration(window_of(slo)), query))


def _lines(query: str) -> str:
    """On lines of its own, since it may end in a comment."""
    return f"(\n{query.strip()}\n)"


def _ignoring(slo: Slo) -> str:
    names = (*IDS, PERIOD) if isinstance(slo.window, Calendar) else IDS
    return f"ignoring({', '.join(names)})"
