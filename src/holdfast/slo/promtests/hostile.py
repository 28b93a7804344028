"""The inputs that make generated rules say that all is well when it is not, fitted to one SLO."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from holdfast.slo import counts, rules
from holdfast.slo.promtests.probe import CannotTestError, response
from holdfast.slo.promtests.series import Birth, Stretch, only_bad, only_good
from holdfast.slo.promtests.subject import down, up
from holdfast.slo.tiers import threshold
from holdfast.units import show_duration

if TYPE_CHECKING:
    from holdfast.model.slo import Tier
    from holdfast.slo.promtests.probe import Raw
    from holdfast.slo.promtests.subject import Case, Subject

_MINUTE: Final = 60.0
_LONG: Final = 2.5 * 3600.0
_BORN_WITH: Final = 50
_COUNTED_BEFORE: Final = 5000
_ELSEWHERE: Final = {"instance": "probe:2"}


def hostile_cases(subject: Subject) -> list[Case]:
    """Those that make sense for the SLO."""
    made: tuple[Case | None, ...] = (
        _idle(subject),
        _never_erred(subject),
        _never_good(subject),
        _dead(subject),
        _restarted(subject),
        _born(subject, bad=True),
    )
    made += (_born(subject, bad=False), _new_target(subject), _few(subject), *_all_bad(subject))
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
    if not absent:
        return None
    end = 3 * subject.tile
    story = Stretch(length=end, events=subject.busy)
    windows = [*(show_duration(one) for one in rules.windows_of(subject.slo)), _whole(subject)]
    checks = [subject.ratio_is(end, window, 0.0) for window in windows]
    checks += [subject.is_near(end, "slo:period_error_budget_remaining:ratio", 1.0), subject.fire(end)]
    checks += subject.records_are(end, story)
    series = subject.series(story, without=absent)
    return subject.case("a service that never failed has its whole budget", subject.tile, series, *checks)


def _never_good(subject: Subject) -> Case | None:
    """Without a series of good events, such as a bucket that is not an edge, nothing was good."""
    absent = only_good(subject.probe)
    if not absent:
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
    story = subject.stretch(dies), Stretch(length=ends - dies, events=0, dark=True)
    spent = (ends - dies - after) / (ends - after)
    checks = [subject.ratio_is(ends, _whole(subject), spent, within=2 * tile / ends)]
    if subject.alerts:
        checks.append(subject.no_data(silent, fires=True))
        checks.append(subject.no_data(dies + down(after, step) - step, fires=False))
    if quickest:
        checks.append(subject.tier_fires(ends, quickest, fires=True))
    series = subject.series(*story, tick=tick)
    return subject.case(f"dead for {show_duration(after)} is told, and all bad", step, series, *checks, tick=tick)


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
    probe = subject.probe
    raws, every = (only_bad(probe), probe.bad) if bad else (only_good(probe), probe.good)
    ways = tuple(way for way in every if any(raw in raws for raw in way))
    if not (ways and subject.by_event and subject.counts_events):
        return None
    tile = subject.tile
    story = subject.stretch(6 * tile, 0.0 if bad else 1.0, events=100 * _BORN_WITH)
    _, total = subject.weight(story)
    # A way that is made of new series alone adds its events; another turns events that were there into its kind.
    new = sum(_BORN_WITH for way in ways if all(raw in raws for raw in way))
    seen = _BORN_WITH * len(ways) if bad else total + new - _BORN_WITH * len(ways)
    birth = Birth(at=3 * tile, events=_BORN_WITH, raws=raws, ways=ways)
    check = subject.ratio_is(6 * tile, _whole(subject), seen / (total + new))
    name = f"{'errors' if bad else 'good events'} that are first seen as {_BORN_WITH} are {_BORN_WITH}"
    return subject.case(name, tile, subject.series(story, born=birth), check)


def _new_target(subject: Subject) -> Case | None:
    """Counters that another target brings along from before it was scraped are no burst."""
    probe = subject.probe
    others = [raw.with_labels(_ELSEWHERE) for raw in probe.series if dict(raw.labels).get("instance") == "probe:1"]
    if not (subject.by_event and subject.counts_events and _adds_up(subject, others)):
        return None
    tile = subject.tile
    share = min(0.5, subject.slo.budget / 2)
    story = subject.stretch(4 * tile, share, events=_COUNTED_BEFORE)
    before, after = round(2 * tile / subject.tick), round(2 * tile / subject.tick)
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
    if not (tiers and least > 1 and subject.by_event and subject.counts_events):
        return None
    probe = subject.probe
    one = replace(subject, probe=replace(probe, good=probe.good[:1], bad=probe.bad[:1]))
    idle, tick, seen = one.stretch(_LONG, events=0), one.tick, one.tile - one.tick
    wait = one.stretch(seen, events=0)
    good, bad = one.stretch(tick, events=2), one.stretch(tick, 1.0, events=1)
    story = [idle, good, *[bad] * (least - 1), wait, bad, wait]
    end = sum(part.length for part in story)
    over = [tier for tier in tiers if least / (2 + least) > threshold(tier, subject.slo)]
    checks = (one.fire(end - tick - seen), one.fire(end, *over))
    return subject.case(f"{least} bad events of a few alert, fewer do not", tick, one.series(*story), *checks)
