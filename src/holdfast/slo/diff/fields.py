"""One SLO before and after, field by field: each difference with what it means for whoever relies on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Final, get_args

from holdfast.model.slo import Calendar, ErrorRatio, Events, Occurrences, Rolling, Severity, Threshold, Timeslices
from holdfast.slo.counts import dead_after, names_of
from holdfast.slo.diff.queries import Than, labels_of
from holdfast.slo.diff.queries import compare as counted
from holdfast.slo.rules import period_name
from holdfast.slo.tiers import is_dead, tiers_of
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from holdfast.model.slo import Budgeting, Exclusion, Slo


class Kind(StrEnum):
    """What a change means, the most serious first."""

    REMOVED = "removed"
    LOOSENED = "loosened"
    HISTORY = "history breaks"
    IN_USE = "still used"
    UNTOLD = "cannot tell"
    RELABELLED = "relabelled"
    CARDINALITY = "new cardinality"
    TIGHTENED = "tightened"
    ADDED = "added"
    COSMETIC = "cosmetic"


@dataclass(frozen=True, slots=True)
class Found:
    """One difference: its kind, what is different, both values as people write them, and what to do about it."""

    kind: Kind
    what: str
    was: str = ""
    now: str = ""
    hint: str = ""


_PRECISE: Final = 10
_ALL_RULES: Final = "series of its ratios and alerts begin anew; the two counts, and so the budget, go on"


def compare(old: Slo, new: Slo) -> list[Found]:
    """Every difference between two versions of one SLO; none when only its place in the file is another.

    Raises ValueError where a query is not PromQL.
    """
    parts: tuple[Callable[[Slo, Slo], Iterator[Found]], ...] = (
        _objective, _bound, _period, _budgeting, _indicator, _exclusions, _dead_after, _alerting, _labels, _words,
    )  # fmt: skip
    return list(chain.from_iterable(part(old, new) for part in parts))


def _looser(looser: bool) -> Kind:
    return Kind.LOOSENED if looser else Kind.TIGHTENED


def _objective(old: Slo, new: Slo) -> Iterator[Found]:
    if new.objective != old.objective:
        was, now = (show_ratio(one.objective, _PRECISE) for one in (old, new))
        hint = f"{new.budget / old.budget:.3g} times the error budget"
        yield Found(_looser(new.objective < old.objective), "objective", was, now, hint)


def _bound(old: Slo, new: Slo) -> Iterator[Found]:
    if old.sli != new.sli:
        hint = "clients witness something else" if new.sli else "clients no longer witness it: half the evidence"
        kind = Kind.LOOSENED if not new.sli else Kind.TIGHTENED if not old.sli else Kind.UNTOLD
        yield Found(kind, "sli", old.sli or "none", new.sli or "none", hint)
    elif old.bound and new.bound and old.bound != new.bound:
        yield Found(_looser(new.bound > old.bound), "bound", show_duration(old.bound), show_duration(new.bound))


def _period(old: Slo, new: Slo) -> Iterator[Found]:
    if old.window == new.window:
        return
    was, now = (_window(one) for one in (old, new))
    kind, hint = _period_kind(old, new)
    yield Found(kind, "period", was, now, hint)
    if period_name(old) != period_name(new):
        yield Found(
            Kind.RELABELLED, "names of series", f"ratio_rate{period_name(old)}", f"ratio_rate{period_name(new)}"
        )


def _period_kind(old: Slo, new: Slo) -> tuple[Kind, str]:
    rolling = isinstance(old.window, Rolling), isinstance(new.window, Rolling)
    if new.period > old.period:
        return Kind.LOOSENED, "the same budget ratio over more time bears a longer outage"
    if rolling == (True, False):
        return Kind.LOOSENED, "a calendar's budget is whole again on the first day, whatever happened the day before"
    if rolling == (False, True) and new.period == old.period:
        return Kind.TIGHTENED, ""
    if new.period < old.period:
        return Kind.UNTOLD, "a shorter period bears less at once, and forgets sooner what was spent"
    return Kind.UNTOLD, "other edges: the period that is going on starts anew"


def _window(slo: Slo) -> str:
    if isinstance(slo.window, Calendar):
        one = slo.window
        return f"calendar {one.count} {one.unit} from {one.start:%Y-%m-%d %H:%M} {one.zone}"
    return show_duration(slo.window.length)


def _budgeting(old: Slo, new: Slo) -> Iterator[Found]:
    was, now = old.budgeting, new.budgeting
    if was == now:
        return
    kind, hint = Kind.UNTOLD, "other things are counted"
    if isinstance(was, Timeslices) and isinstance(now, Timeslices) and was.length == now.length:
        kind, hint = _looser(now.target < was.target), ""
    yield Found(kind, "budgeting", _weights(was), _weights(now), hint)
    if names_of(old) != names_of(new):
        yield Found(Kind.HISTORY, "records", names_of(old)[0], names_of(new)[0], "the budget starts anew")


def _weights(one: Budgeting) -> str:
    if isinstance(one, Occurrences):
        return "occurrences"
    if isinstance(one, Timeslices):
        return f"timeslices of {show_duration(one.length)} at {show_ratio(one.target, _PRECISE)}"
    return f"ratio timeslices of {show_duration(one.length)}"


def _indicator(old: Slo, new: Slo) -> Iterator[Found]:
    was, now = old.indicator, new.indicator
    if isinstance(was, Events) and isinstance(now, Events):
        yield from _query("error query", was.error_query, now.error_query, {Than.FEWER: True, Than.MORE: False})
        yield from _query("total query", was.total_query, now.total_query, {})
    elif isinstance(was, ErrorRatio) and isinstance(now, ErrorRatio):
        yield from _query("error ratio", was.query, now.query, {})
    elif isinstance(was, Threshold) and isinstance(now, Threshold):
        yield from _query("query", was.query, now.query, {})
        yield from _limit(was, now)
    else:
        hint = "another kind of indicator"
        yield Found(Kind.UNTOLD, "indicator", type(was).__name__, type(now).__name__, hint)


def _query(what: str, was: str, now: str, looser: dict[Than, bool]) -> Iterator[Found]:
    if was == now:
        return
    than = counted(was, now)
    if than is Than.SAME:
        yield Found(Kind.COSMETIC, what, "", "", "written differently, the same PromQL")
        return
    kind = _looser(looser[than]) if than in looser else Kind.UNTOLD
    hint = "" if than is Than.UNTOLD else f"it counts {than.value} series"
    yield Found(kind, what, _line(was), _line(now), hint or "what it counts cannot be told from its text")
    new = labels_of(now) - labels_of(was)
    if new:
        yield Found(Kind.CARDINALITY, what, "", ", ".join(sorted(new)), "every rule of it becomes as many series")


def _line(text: str) -> str:
    return " ".join(text.split())


def _limit(was: Threshold, now: Threshold) -> Iterator[Found]:
    if (was.op, was.value) == (now.op, now.value):
        return
    both = f"{was.op} {was.value:g}", f"{now.op} {now.value:g}"
    if was.op[:2] != now.op[:2]:
        yield Found(Kind.UNTOLD, "threshold", *both, "good is now on the other side")
    elif was.value == now.value:
        yield Found(_looser(now.op.endswith("e")), "threshold", *both)
    else:
        yield Found(_looser((now.value > was.value) == (now.op[:2] == "lt")), "threshold", *both)


def _exclusions(old: Slo, new: Slo) -> Iterator[Found]:
    was = {_when(one): one for one in old.exclusions}
    now = {_when(one): one for one in new.exclusions}
    for key in now.keys() | was.keys():
        before, after = was.get(key), now.get(key)
        if before is None and after is not None:
            hint = f"times that no longer count: {after.reason}"
            yield Found(Kind.LOOSENED, "exclusion added", "", _excluded(after), hint)
        elif after is None and before is not None:
            yield Found(Kind.TIGHTENED, "exclusion removed", _excluded(before))
        elif before and after and before.length != after.length:
            longer = after.length > before.length
            yield Found(_looser(longer), "exclusion", show_duration(before.length), show_duration(after.length))
        elif before and after and before.reason != after.reason:
            yield Found(Kind.COSMETIC, "reason of an exclusion", before.reason, after.reason)


def _when(one: Exclusion) -> tuple[str, str, str]:
    return one.start.isoformat(), one.zone, one.repeat


def _excluded(one: Exclusion) -> str:
    again = f", {one.repeat}" if one.repeat else ""
    return f"{one.start:%Y-%m-%d %H:%M} {one.zone} for {show_duration(one.length)}{again}"


def _dead_after(old: Slo, new: Slo) -> Iterator[Found]:
    if old.dead_after == new.dead_after:
        return
    before, after = _seconds_alive(old), _seconds_alive(new)
    was, now = (show_duration(one) if one else "by its budget" for one in (before, after))
    if before and after and before != after:
        yield Found(_looser(after > before), "dead-after", was, now, "a silent service counts as alive for so long")
    elif before is None or after is None:
        yield Found(Kind.UNTOLD, "dead-after", was, now, "no tier says how long its budget bears silence")


def _seconds_alive(slo: Slo) -> float | None:
    try:
        return dead_after(slo)
    except ValueError:
        return None


def _alerting(old: Slo, new: Slo) -> Iterator[Found]:
    for severity in get_args(Severity):
        was, now = old.policy(severity), new.policy(severity)
        if was.disabled != now.disabled:
            yield Found(_looser(now.disabled), f"{severity} alert", _switch(was.disabled), _switch(now.disabled))
        elif dict(was.labels) != dict(now.labels):
            yield _routed(f"labels of the {severity} alert", was.labels, now.labels)
    yield from _silenced(old, new)
    if old.least_bad != new.least_bad:
        hint = "bad events that an alert needs"
        yield Found(_looser(new.least_bad > old.least_bad), "least-bad", str(old.least_bad), str(new.least_bad), hint)
    if old.adapt != new.adapt:
        hint = "an alert tier out of reach is lowered, or stays silent"
        yield Found(_looser(not new.adapt), "tiers", _adapt(old.adapt), _adapt(new.adapt), hint)
    if old.alert != new.alert:
        yield Found(Kind.UNTOLD, "alert", old.alert or "none", new.alert or "none", "routes and silences know its name")
    if dict(old.alert_labels) != dict(new.alert_labels):
        yield _routed("labels of both alerts", old.alert_labels, new.alert_labels)


def _silenced(old: Slo, new: Slo) -> Iterator[Found]:
    """Tiers that could fire and no longer can: their burn rate is more than everything going wrong."""
    was = {(tier.severity, tier.name) for tier in tiers_of(old.period) if not is_dead(tier, old)}
    for tier in tiers_of(new.period):
        if is_dead(tier, new) and (tier.severity, tier.name) in was and not new.policy(tier.severity).disabled:
            hint = "a total outage is not enough for it; x-holdfast: {tiers: adapt} lowers it"
            yield Found(Kind.LOOSENED, f"{tier.severity} alert", "", f"its {tier.name} tier can never fire", hint)


def _switch(disabled: bool) -> str:
    return "disabled" if disabled else "enabled"


def _adapt(adapts: bool) -> str:
    return "adapt" if adapts else "as they are"


def _routed(what: str, was: Mapping[str, str], now: Mapping[str, str]) -> Found:
    return Found(Kind.UNTOLD, what, _pairs(was), _pairs(now), "who is told may be another one")


def _pairs(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) or "none"


def _labels(old: Slo, new: Slo) -> Iterator[Found]:
    if dict(old.labels) != dict(new.labels):
        yield Found(Kind.RELABELLED, "labels", _pairs(old.labels), _pairs(new.labels), _ALL_RULES)


def _words(old: Slo, new: Slo) -> Iterator[Found]:
    if old.description != new.description:
        yield Found(Kind.COSMETIC, "description")
    told = [{**one.alert_annotations, **one.page.annotations, **one.ticket.annotations} for one in (old, new)]
    if told[0] != told[1]:
        yield Found(Kind.COSMETIC, "annotations of alerts", _pairs(told[0]), _pairs(told[1]))
    if old.loosened != new.loosened:
        yield Found(Kind.COSMETIC, "loosened", old.loosened, new.loosened)
