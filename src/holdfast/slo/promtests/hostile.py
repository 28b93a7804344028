"""The inputs that make generated rules say that all is well when it is not, fitted to one SLO."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from holdfast.model.slo import Events, Timeslices
from holdfast.slo import counts, promql, rules
from holdfast.slo.promtests.probe import CannotTestError, is_selected, queries_of, response
from holdfast.slo.promtests.series import Birth, Stretch, only_bad, only_good
from holdfast.slo.promtests.subject import Check, down, up
from holdfast.slo.tiers import threshold
from holdfast.units import show_duration

if TYPE_CHECKING:
    from holdfast.model.slo import Tier
    from holdfast.slo.promtests.probe import Raw
    from holdfast.slo.promtests.subject import Case, Subject

_MINUTE: Final = 60.0
_LONG: Final = 1.25 * 3600.0
_MOST_APART: Final = 8
"""Bad events that are seen one after the other within the hour in which they are counted."""
_BORN_WITH: Final = 50
_EARLY: Final = 3
"""Samples before a birth: the target was scraped before, but for less than a record looks back."""
_COUNTED_BEFORE: Final = 5000
_ELSEWHERE: Final = {"instance": "probe:2"}
_BESIDE: Final = {"beside": "it"}


def hostile_cases(subject: Subject) -> list[Case]:
    """Those that make sense for the SLO."""
    made: tuple[Case | None, ...] = (
        _idle(subject),
        _alone(subject),
        _never_erred(subject),
        _never_good(subject),
        _dead(subject),
        _restarted(subject),
        _born(subject, bad=True),
    )
    made += (_born(subject, bad=False), _more_series(subject), _new_target(subject), _few(subject), *_all_bad(subject))
    return [case for case in made if case]


def _whole(subject: Subject) -> str:
    return rules.period_name(subject.slo)


def _idle(subject: Subject) -> Case | None:
    """An hour without an event, at first and later: no window is NaN, then or ever after."""
    if not subject.idles:
        return None
    tile = subject.tile
    idle = subject.stretch(12 * tile, events=0)
    bad = subject.stretch(2 * tile, min(0.5, subject.slo.budget / 2) if subject.graded else 1.0)
    story = idle, bad, idle, subject.stretch(2 * tile)
    windows = [*(show_duration(one) for one in rules.windows_of(subject.slo)), _whole(subject)]
    checks = [subject.ratio_is(12 * tile, window, 0.0) for window in windows]
    seen = [(26 * tile, story[:3]), (28 * tile, story)]
    checks += [subject.ratio_is(at, _whole(subject), subject.truth(*some)) for at, some in seen]
    checks.append(subject.is_near(26 * tile, "slo:current_burn_rate:ratio", 0.0))
    return subject.case("an idle hour is no number of errors", tile, subject.series(*story), *checks)


def _alone(subject: Subject) -> Case:
    """The first event there is, and a good one: no window has an error."""
    tile, tick = subject.tile, subject.tick
    one = replace(subject, probe=replace(subject.probe, good=subject.probe.good[:1]))
    story = one.stretch(tick, events=1), one.stretch(tile - tick, events=0)
    windows = [*(show_duration(one) for one in rules.windows_of(subject.slo)), _whole(subject)]
    checks = [subject.ratio_is(tile, window, 0.0) for window in windows]
    return subject.case("a lone good event is no error", tile, one.series(*story), *checks)


def _all_bad(subject: Subject) -> list[Case]:
    """Nothing but errors, of one kind alone: all is bad."""
    probe, end = subject.probe, 3 * subject.tile
    if not probe.graded:
        return []
    story = Stretch(length=end, events=subject.busy, share=1.0)
    check = subject.ratio_is(end, _whole(subject), 1.0)
    found = []
    for number, way in enumerate(probe.bad, 1):
        alone = replace(subject, probe=replace(probe, bad=(way,)))
        series = alone.series(story, without=only_bad(probe) - way.keys())
        found.append(subject.case(f"nothing but errors of kind {number} is all bad", subject.tile, series, check))
    return found


def _never_erred(subject: Subject) -> Case | None:
    """Without an error series there are no errors, and the whole budget."""
    absent = only_bad(subject.probe)
    # A ratio that was made elsewhere has nothing to say where a part of it is missing.
    if not (absent and isinstance(subject.slo.indicator, Events)):
        return None
    end = 3 * subject.tile
    story = Stretch(length=end, events=subject.busy)
    windows = [*(show_duration(one) for one in rules.windows_of(subject.slo)), _whole(subject)]
    checks = [subject.ratio_is(end, window, 0.0) for window in windows]
    checks += [subject.is_near(end, "slo:period_error_budget_remaining:ratio", 1.0), subject.fire(end)]
    checks += subject.records_are(end, story)
    # Without what must not count, too: whether the service lives is not told by that.
    series = subject.series(story, without={*absent, *subject.probe.ignored})
    return subject.case("a service that never failed has its whole budget", subject.tile, series, *checks)


def _never_good(subject: Subject) -> Case | None:
    """Without a series of good events, such as a bucket that is not an edge, nothing was good."""
    absent = only_good(subject.probe)
    rest = {raw: amount for raw, amount in subject.probe.mixed(1.0).items() if raw not in absent}
    # Where a part of the total goes with them, there is none, and that is told as such.
    if not absent or math.isnan(response(subject.slo, rest)[1]):
        return None
    end = 3 * subject.tile
    story = Stretch(length=end, events=subject.busy, share=1.0)
    check = subject.ratio_is(end, _whole(subject), 1.0)
    series = subject.series(story, without=absent)
    return subject.case("a service that was never good has no budget left", subject.tile, series, check)


def _dead(subject: Subject) -> Case:
    """Nothing is scraped any more: said in time, paged, and spent; and over when it is back."""
    slo, tile = subject.slo, subject.tile
    step, after = min(_MINUTE, tile), counts.dead_after(slo)
    tick = min(subject.tick, after / 2)
    dies = up(max(6 * tile, after), step)
    silent = dies + up(after, step) + 2 * step
    quickest = min(subject.tiers(), key=lambda tier: _outage(subject, tier), default=None)
    ends = up(silent + max(2 * tile, _outage(subject, quickest) if quickest else 0.0) + 2 * tile, step)
    back = up(tile + 2 * tick, step)
    story = subject.stretch(dies), Stretch(length=ends - dies, events=0, dark=True), subject.stretch(back)
    spent, before = (ends - dies - after) / (ends - after), dies + down(after, step) - step
    checks = [subject.ratio_is(ends, _whole(subject), spent, within=2 * tile / ends), _all_is_bad(subject, silent)]
    gone = dies + tile + step if isinstance(slo.indicator, Events) else before
    checks += [subject.nothing_is_recorded(at) for at in sorted({gone, before}) if dies + tile <= at <= before]
    if subject.alerts:
        told = ((before, False), (silent, True), (ends + back, False))
        checks += [subject.no_data(at, fires=fires) for at, fires in told]
    if tick == step and all(raw.counter for raw in subject.probe.series):
        # One sample is a sign of life and tells of no event.
        checks.append(subject.nothing_is_recorded(ends + step))
    if quickest:
        checks.append(subject.tier_fires(ends, quickest, fires=True))
    alive = subject.series(subject.stretch(ends + back), tick=tick)
    goes_on = {raw.text: alive[raw.text] for raw in subject.probe.ignored if not _is_asked_for(subject, raw)}
    series = {**subject.series(*story, tick=tick), **goes_on}
    return subject.case(f"dead for {show_duration(after)} is told, and all bad", step, series, *checks, tick=tick)


def _all_is_bad(subject: Subject, at: float) -> Check:
    total, bad = (f"{name}{counts.selector(subject.slo)}" for name in counts.names_of(subject.slo))
    return Check(at=at, expr=f"count({bad} == {total})", samples=(({}, 1.0),))


def _is_asked_for(subject: Subject, raw: Raw) -> bool:
    """Whether a series belongs to what tells that a service lives."""
    return any(is_selected(one, raw) for one in promql.selectors(queries_of(subject.slo)[-1]))


def _outage(subject: Subject, tier: Tier) -> float:
    """Seconds of a total outage until the tier fires, in a service half an hour old."""
    height = threshold(tier, subject.slo)
    return min(height * tier.long, height / (1 - height) * 7 * subject.tile)


def _restarted(subject: Subject) -> Case | None:
    """Counters begin again at 0: no event is lost, none is made up."""
    if not all(raw.counter for raw in subject.probe.series):
        return None
    end = 6 * subject.tile
    share = min(0.5, subject.slo.budget / 2) if subject.graded else 1.0
    first = subject.stretch(end / 2, share)
    story = first, replace(first, restarts=True)
    check = subject.ratio_is(end, _whole(subject), subject.truth(*story))
    return subject.case("a restart loses no event", subject.tile, subject.series(*story), check)


def _born(subject: Subject, *, bad: bool) -> Case | None:
    """The first errors there ever are, or the first good answers, come as a series that has a value."""
    probe, tile = subject.probe, subject.tile
    raws, every = (only_bad(probe), probe.bad) if bad else (only_good(probe), probe.good)
    ways = tuple(way for way in every if any(raw in raws for raw in way))
    if not (ways and probe.graded and subject.counts_first):
        return None
    # A way that is made of new series alone adds its events; another turns events that were there into its kind.
    added = sum(all(raw in raws for raw in way) for way in ways)
    worse, more = (len(ways) if bad else added - len(ways)), added
    story = Stretch(length=tile, events=100 * _BORN_WITH, share=0.0 if bad else 1.0)
    events = _BORN_WITH if subject.by_event else _that_tip(subject, story, worse, more)
    first, rest = (
        _changed(subject, story, events * worse, events * more),
        subject.weight(replace(story, length=5 * tile)),
    )
    truth = (first[0] + rest[0]) / (first[1] + rest[1])
    birth = Birth(at=_EARLY * subject.tick, events=events, raws=raws, ways=ways)
    # And nothing but what counts can tell that it was.
    series = subject.series(replace(story, length=6 * tile), born=birth, without=probe.ignored)
    name = f"{'errors' if bad else 'good events'} that are first seen as {events} are {events}"
    return subject.case(name, tile, series, subject.ratio_is(6 * tile, _whole(subject), truth))


def _that_tip(subject: Subject, one: Stretch, worse: int, more: int) -> int:
    """As few new events of each way as turn a good slice into a bad one, or a bad one into a good one."""
    budgeting = subject.slo.budgeting
    allowed = 1 - budgeting.target if isinstance(budgeting, Timeslices) else 0.5
    bad, total = one.counted(subject.probe, subject.tick)
    return int((allowed * total - bad) / (worse - allowed * more)) + 1


def _more_series(subject: Subject) -> Case | None:
    """Series that a target begins to have, beside those like them, count from their first value."""
    probe, tile = subject.probe, subject.tile
    others = [raw.with_labels(_BESIDE) for raw in probe.series]
    if not (probe.graded and subject.counts_first and _adds_up(subject, others)):
        return None
    ways = (*probe.good, *probe.bad)
    story = Stretch(length=tile, events=100 * _BORN_WITH, share=min(0.5, subject.slo.budget / 2))
    first = _changed(subject, story, _BORN_WITH * len(probe.bad), _BORN_WITH * len(ways))
    rest = subject.weight(replace(story, length=3 * tile))
    born = {raw: _BORN_WITH * sum(way.get(raw, 0.0) for way in ways) for raw in probe.series}
    after = _ticks(subject, 4 * tile) - _EARLY
    more = {
        other.text: f"_x{_EARLY} {born[raw]:g}x{after}"
        for raw, other in zip(probe.series, others, strict=True)
        if born[raw]
    }
    series = {**subject.series(replace(story, length=4 * tile), without=probe.ignored), **more}
    check = subject.ratio_is(4 * tile, _whole(subject), (first[0] + rest[0]) / (first[1] + rest[1]))
    return subject.case("series that a target begins to have count from their first value", tile, series, check)


def _changed(subject: Subject, one: Stretch, more_bad: float, more: float) -> tuple[float, float]:
    """The weight of a record's length with so many more events."""
    bad, total = one.counted(subject.probe, subject.tick)
    bad, total = bad + more_bad, total + more
    return (bad, total) if subject.by_event else (subject.badness(one, bad / total), 1.0)


def _ticks(subject: Subject, length: float) -> int:
    return round(length / subject.tick)


def _new_target(subject: Subject) -> Case | None:
    """Counters that another target brings along from before it was scraped are no burst."""
    probe = subject.probe
    others = [raw.with_labels(_ELSEWHERE) for raw in probe.series if dict(raw.labels).get("instance") == "probe:1"]
    if not (probe.graded and subject.counts_first and _adds_up(subject, others)):
        return None
    tile = subject.tile
    share = min(0.5, subject.slo.budget / 2) if subject.graded else 0.0
    story = Stretch(length=4 * tile, events=_COUNTED_BEFORE, share=share)
    before = after = _ticks(subject, 2 * tile)
    series = {**subject.series(story), **{raw.text: f"_x{before} {_COUNTED_BEFORE}x{after}" for raw in others}}
    check = subject.ratio_is(4 * tile, _whole(subject), subject.truth(story))
    return subject.case("a target that is scraped for the first time is no burst", tile, series, check)


def _adds_up(subject: Subject, others: list[Raw]) -> bool:
    """Whether the queries take the sum of several targets."""
    moves = subject.probe.mixed(0.1)
    try:
        bad, total = response(subject.slo, {**moves, **dict.fromkeys(others, 0.0)})
    except CannotTestError:
        return False
    return bool(others) and abs(bad - 0.1) < abs(total) * 1e-9 and abs(total - 1) < abs(total) * 1e-9


def _few(subject: Subject) -> Case | None:
    """After idle hours two good events and some bad ones: fewer than it takes alert nobody, as many do."""
    least, tiers = subject.slo.least_bad, subject.tiers()
    if not (tiers and 1 < least <= _MOST_APART and subject.by_event and subject.counts_events):
        return None
    probe = subject.probe
    one = replace(subject, probe=replace(probe, good=probe.good[:1], bad=probe.bad[:1]))
    idle, tick, seen = one.stretch(_LONG, events=0), one.tick, one.tile - one.tick
    # Apart, since Prometheus 3 sees less of what a counter rises by soon after it was 0.
    apart = one.stretch(tick, 1.0, events=1), one.stretch(seen, events=0)
    story = [idle, one.stretch(tick, events=2), *apart * least]
    end = sum(part.length for part in story)
    seen_by = [tier for tier in tiers if tier.long >= least * one.tile]
    over = [tier for tier in seen_by if least / (2 + least) > threshold(tier, subject.slo)]
    # Before the last one leaves the shortest window, whose edges depend on the release.
    checks = (one.fire(end - tick - seen), one.fire(end - tick, *over))
    return subject.case(f"{least} bad events of a few alert, fewer do not", tick, one.series(*story), *checks)
