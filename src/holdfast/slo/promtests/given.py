"""What follows from records that are given: days of them cost nothing, and so windows can be told to one record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from holdfast.model.slo import Rolling
from holdfast.slo import counts, rules
from holdfast.slo.promtests.records import ages_until, as_samples, braces, end_of, records
from holdfast.slo.promtests.series import Stretch
from holdfast.slo.promtests.subject import HAIR, up
from holdfast.slo.tiers import MARGIN, threshold
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.slo import Tier
    from holdfast.slo.promtests.subject import Case, Subject

_HOUR: Final = 3600.0
_NEARLY: Final = 0.1
"""How far from so many events is just above it: more than one record in an hour's does."""
_MARK: Final = 10


def given_cases(subject: Subject) -> list[Case]:
    """Those that make sense for the SLO."""
    made = [_edges(subject), *_idle(subject), *_few(subject), *_renamed(subject)]
    return made if subject.graded else [*made, *_thresholds(subject)]


def _edges(subject: Subject) -> Case:
    """Bad records on either side of where each window begins: the one within counts, the other does not."""
    tile, end = subject.tile, end_of(subject)
    windows = [one for one in rules.windows_of(subject.slo) if one > tile]
    edges = {age for one in windows for age in (up(one, tile) - tile, _after(one, tile))} | {tile}
    # Ever more, so that no two windows have the same share.
    bad = {age: float(number) for number, age in enumerate(sorted(edges - {*windows, 0.0}), 1)}
    total = dict.fromkeys(bad, 100.0)
    checks = [subject.ratio_is(end, show_duration(one), _within(bad, one) / _within(total, one)) for one in windows]
    series = records(subject, tile, {**total, 0.0: "stale"}, bad)
    return subject.case("a window holds what is within it and no more", end, series, *checks, tick=tile)


def _within(records: Mapping[float, float], window: float) -> float:
    return sum(value for age, value in records.items() if age < window)


def _after(length: float, tile: float) -> float:
    """The first age beyond a window."""
    return up(length, tile) + (0.0 if length % tile else tile)


def _idle(subject: Subject) -> list[Case]:
    """Nothing for as long as a window looks back is no error in it, whatever there was before."""
    slo, tile, end = subject.slo, subject.tile, end_of(subject)
    spans = {show_duration(one): one for one in rules.windows_of(slo)}
    if isinstance(slo.window, Rolling):
        spans[rules.period_name(slo)] = slo.period
    found = []
    for window, length in spans.items():
        at = up(length + 2 * tile, end)
        total = {_after(length, tile): 100.0, up(length, tile) - tile: 0.0}
        series = records(subject, tile, total, {}, at=at)
        found.append(
            subject.case(f"an idle {window} has no errors", end, series, subject.ratio_is(at, window, 0.0), tick=tile)
        )
    return found


def _few(subject: Subject) -> list[Case]:
    """Almost too few bad events in a tier's long window, and many just before it; and just enough."""
    least, tiers = subject.slo.least_bad, subject.tiers()
    if not (tiers and least > 1 and subject.by_event and subject.counts_events):
        return []
    longs = sorted({tier.long for tier in tiers})
    found = [_bad_events(subject, least - MARGIN + _NEARLY, 0.0)]
    return [*found, *(_bad_events(subject, least - MARGIN - _NEARLY, long) for long in longs)]


def _bad_events(subject: Subject, number: float, before: float) -> Case:
    """So many bad events now, and many `before` seconds ago, when that is not 0; nothing else for days."""
    tile, end = subject.tile, end_of(subject)
    marks = {_after(before, tile): float(_MARK)} if before else {}
    ages = [age for age in ages_until(2 * _HOUR, tile) if age not in {0.0, _HOUR}]
    given = records(subject, subject.tick, marks, {**dict.fromkeys(ages, 0.0), **marks})
    way = {raw: amount * number for raw, amount in subject.probe.bad[0].items()}
    one = replace(subject, probe=replace(subject.probe, bad=(way,)))
    # Since Prometheus 3 a window has no longer the sample at its first moment, and with it what rose next.
    burst = one.stretch(subject.tick, 1.0, events=1), one.stretch(tile - 2 * subject.tick, events=0)
    series = {**given, **_at_last(one, *burst)}
    fires = [tier for tier in subject.tiers() if tier.long > before] if before else subject.tiers()
    name = f"{number:g} bad events fire" + (f" nothing that looks back {show_duration(before)}" if before else "")
    return subject.case(name, end, series, subject.fire(end, *fires))


def _thresholds(subject: Subject) -> list[Case]:
    """All bad now and all good before, for so long that the share is just below a threshold, and just above."""
    heights = {tier: threshold(tier, subject.slo) for tier in subject.tiers()}
    shares = sorted({height * (1 + sign * HAIR) for height in heights.values() for sign in (-1, 1)})
    return [
        _share(subject, share, [tier for tier, height in heights.items() if height < share])
        for share in shares
        if share < 1
    ]


def _share(subject: Subject, share: float, over: list[Tier]) -> Case:
    tile, end = subject.tile, end_of(subject)
    tick = subject.tick
    # Ended, or the bad ones among them were looked for again.
    given = records(subject, tick, {tile: 1 / share - 1, tile - tick: "stale"}, {tile: 0.0})
    series = {**given, **_at_last(subject, subject.stretch(tile, 1.0))}
    who = ", ".join(f"{tier.severity} {tier.name}" for tier in over) or "nothing"
    # A window of one slice has nothing before it.
    one = [tier for tier in subject.tiers() if tier.long <= tile]
    fires = [tier for tier in subject.tiers() if tier in over or tier in one]
    return subject.case(f"{share:.6%} bad: {who} fires", end, series, subject.fire(end, *fires))


def _renamed(subject: Subject) -> list[Case]:
    """For minutes after a label got another value both series are there; the worse one says how fast it burns."""
    slo, end, tile = subject.slo, end_of(subject), subject.tile
    if not slo.labels:
        return []
    windows = show_duration(rules.windows_of(slo)[0]), rules.period_name(slo)
    former = {**dict.fromkeys(slo.labels, "before"), **counts.ids(slo)}
    series = {
        f"slo:sli_error:ratio_rate{window}{braces({**former, 'sloth_window': window})}": as_samples(
            {subject.tick: 0.25}, end, subject.tick
        )
        for window in windows
    }
    names = ("slo:current_burn_rate:ratio", "slo:period_burn_rate:ratio")
    checks = [subject.is_near(end, name, 1 / slo.budget) for name in names]
    checks.append(subject.is_near(end, "slo:period_error_budget_remaining:ratio", 1 - 1 / slo.budget))
    series |= _at_last(subject, subject.stretch(tile, 1.0))
    return [subject.case("a label that is renamed is no second service", end, series, *checks)]


def _at_last(subject: Subject, *story: Stretch) -> dict[str, str]:
    """A story told at the end, after a record's length in which nothing happens, and before it nothing at all."""
    length = sum(one.length for one in story)
    dark = Stretch(length=end_of(subject) - length - subject.tile, events=0, dark=True)
    return subject.series(dark, subject.stretch(subject.tile, events=0), *story)
