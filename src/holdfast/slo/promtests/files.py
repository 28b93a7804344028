"""The tests that every SLO ships: what its rules must say of traffic whose truth is known, for promtool to check.

A file of tests has one evaluation interval, so there are as many files as the cases need. Windows begin and end with
one evaluation more or less from one release of Prometheus to the next: traffic is the same there, or the slack is said.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final

import yaml

from holdfast.model.slo import DAY, Rolling
from holdfast.slo import rules
from holdfast.slo.promtests.given import given_cases
from holdfast.slo.promtests.horizon import horizon_cases, times_of, variants
from holdfast.slo.promtests.hostile import hostile_cases
from holdfast.slo.promtests.probe import probe
from holdfast.slo.promtests.silences import silent_cases
from holdfast.slo.promtests.subject import HAIR, STEPS, Subject, down, up
from holdfast.slo.tiers import threshold
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from holdfast.model.slo import Slo, Tier
    from holdfast.slo.promtests.subject import Case


TESTS: Final = "test.yaml"
"""How names of files of tests end."""


def files_of(slo: Slo, rule_text: str, today: datetime | None) -> dict[str, str]:
    """Rule files and tests by file name, to lie in one folder; `rule_text` has the rules of `slo` alone, as of `today`.

    Raises CannotTestError where it cannot be told which series make a good event and which a bad one.
    """
    return {**rules_of(slo, rule_text, today), **asked_of(slo, rule_text, today)}


def rules_of(slo: Slo, rule_text: str, today: datetime | None) -> dict[str, str]:
    """The rules as the tests ask them, by file name."""
    found = variants(slo, rule_text, times_of(slo, today))
    return {_rules(slo, name): text for name, text in found.items()}


def asked_of(slo: Slo, rule_text: str, today: datetime | None) -> dict[str, str]:
    """The tests by file name; of the rules only the order of their groups is taken. Raises CannotTestError."""
    subject, times = Subject(slo, probe(slo)), times_of(slo, today)
    groups = re.findall(r"^- name: (\S+)$", rule_text, re.MULTILINE)
    parts: dict[tuple[str, float], list[Case]] = {}
    made = (ordinary_cases, hostile_cases, given_cases, silent_cases)
    for case in chain(*(cases(subject) for cases in made), horizon_cases(subject, times)):
        parts.setdefault((case.variant, case.step), []).append(case)
    return {_tests(slo, *part): _file(slo, part, cases, groups) for part, cases in sorted(parts.items())}


def _rules(slo: Slo, variant: str) -> str:
    return ".".join(filter(None, (slo.rule_id, variant, "rules.yaml")))


def _tests(slo: Slo, variant: str, step: float) -> str:
    return ".".join(filter(None, (slo.rule_id, variant, show_duration(step), TESTS)))


def _file(slo: Slo, part: tuple[str, float], cases: Sequence[Case], groups: Sequence[str]) -> str:
    variant, step = part
    document = {
        "rule_files": [_rules(slo, variant)],
        "evaluation_interval": f"{step:g}s",
        "group_eval_order": list(groups),
        "tests": [case.document() for case in cases],
    }
    head = f"# Tests of {slo.id}, made by `holdfast slo test -o`; run by `promtool test rules`.\n"
    return head + yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, width=1000)


def ordinary_cases(subject: Subject) -> list[Case]:
    """What rules owe of traffic as it comes: thresholds, windows, weights."""
    found = [_weighted(subject), *(_burns(subject, tier) for tier in subject.tiers())]
    if isinstance(subject.slo.window, Rolling):
        found.append(_forgotten(subject))
    return [*found, *_thresholds(subject)] if subject.graded else found


def _weighted(subject: Subject) -> Case:
    """Busy and bad, then idle, then quiet and good: every record that follows from it, with its labels."""
    slo, tile = subject.slo, subject.tile
    bad = min(0.5, 2 * slo.budget) if subject.graded else 1.0
    idle = 0 if subject.idles else subject.busy
    story = (
        subject.stretch(12 * tile, bad, 100 * subject.busy),
        subject.stretch(6 * tile, events=idle),
        subject.stretch(12 * tile),
    )
    end, truth = 30 * tile, subject.truth(*story)
    whole, period = rules.period_name(slo), subject.is_near
    checks = [subject.ratio_is(end, whole, truth), subject.ratio_is(18 * tile, whole, subject.truth(*story[:2]))]
    checks += [subject.ratio_is(end, show_duration(window), truth) for window in rules.windows_of(slo) if window > end]
    checks += [
        period(end, "slo:objective:ratio", slo.objective),
        period(end, "slo:error_budget:ratio", slo.budget),
        period(end, "slo:period_burn_rate:ratio", truth / slo.budget),
        period(end, "slo:period_error_budget_remaining:ratio", 1 - truth / slo.budget),
    ]
    if isinstance(slo.window, Rolling):
        checks.append(period(end, "slo:time_period:days", slo.period / DAY))
    checks += [subject.info(end), *subject.records_are(end, story[2])]
    return subject.case("each event weighs the same, and an idle hour nothing", tile, subject.series(*story), *checks)


def _thresholds(subject: Subject) -> list[Case]:
    """Steady errors fill every window alike: just below a threshold, and just above."""
    heights = {tier: threshold(tier, subject.slo) for tier in subject.tiers()}
    shares = sorted({height * (1 + sign * HAIR) for height in heights.values() for sign in (-1, 1)})
    return [_steady(subject, share, heights) for share in shares if share < 1]


def _steady(subject: Subject, share: float, heights: Mapping[Tier, float]) -> Case:
    slo, end = subject.slo, 4 * subject.tile
    story = subject.stretch(end, share)
    truth, over = subject.truth(story), [tier for tier, height in heights.items() if height < share]
    windows = [show_duration(window) for window in rules.windows_of(slo)]
    checks = [subject.ratio_is(end, window, truth) for window in [*windows, rules.period_name(slo)]]
    checks.append(subject.is_near(end, "slo:current_burn_rate:ratio", truth / slo.budget))
    who = ", ".join(f"{tier.severity} {tier.name}" for tier in over) or "nothing"
    name = f"{share:.6%} bad: {who} fires"
    return subject.case(name, subject.tile, subject.series(story), subject.fire(end, *over), *checks)


def _burns(subject: Subject, tier: Tier) -> Case:
    """A burst after calm: fires when long window x threshold / error ratio has passed, clears as the short one does."""
    height = threshold(tier, subject.slo)
    share = min(1.0, 2 * height) if subject.graded else 1.0
    step = next(step for step in STEPS if step * 75 >= tier.long)
    slack = 2 * step + subject.tile
    begins, fires = up(tier.long, step) + 2 * step, height * tier.long / share
    ends = begins + up(fires + slack, step)
    clears = tier.short * (1 - height / share)
    story = (
        subject.stretch(begins),
        subject.stretch(ends - begins, share),
        subject.stretch(up(clears + slack, step) + step),
    )
    before = begins + down(fires - slack, step)
    still, after = ends + down(clears - slack, step), ends + up(clears + slack, step)
    reached = min(1.0, (ends - begins) / tier.long) * subject.truth(story[1])
    checks = [
        subject.tier_fires(max(before, begins), tier, fires=False),
        subject.tier_fires(ends, tier, fires=True),
        subject.tier_fires(max(still, ends), tier, fires=True),
        subject.tier_fires(after, tier, fires=False),
        subject.ratio_is(
            ends, show_duration(tier.long), reached, within=max(slack, 0.05 * tier.long) / tier.long * share
        ),
    ]
    if ends - begins >= tier.short + subject.tile + step:
        checks.append(subject.ratio_is(ends, show_duration(tier.short), subject.truth(story[1])))
    name = f"{tier.severity} {tier.name} fires {show_duration(up(fires, 1))} into {share:.4%} bad, and clears in time"
    return subject.case(name, step, subject.series(*story), *checks)


def _forgotten(subject: Subject) -> Case:
    """A bad start counts for exactly one period."""
    slo = subject.slo
    period = slo.period
    step = next((step for step in STEPS if step * 130 >= period), STEPS[-1])
    whole = rules.period_name(slo)
    share = 0.5 if subject.graded else 1.0
    begins, ends = subject.stretch(4 * step, share), subject.stretch(2 * step, share)
    calm = subject.stretch(up(period, step) - step)
    story = begins, calm, ends, subject.stretch(step)
    tick = subject.tile / 2
    truth = subject.truth(begins, subject.stretch(period - 4 * step))
    later = subject.truth(ends, subject.stretch(period - 2 * step))
    checks = (
        subject.ratio_is(period, whole, truth),
        subject.ratio_is(period + 5 * step, whole, later, within=2 * step / period * later),
    )
    series = subject.series(*story, tick=tick)
    return subject.case(f"errors count for {whole} and no longer", step, series, *checks, tick=tick)
