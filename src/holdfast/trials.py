"""A repeated scenario: each play is a Bernoulli trial, and the series has one answer. Pure.

A trial is good when it is PASS, and only then. What it was if it is UNKNOWN, or was never played, nobody knows: a
proof that the scenario holds counts it as failed, a proof that it does not counts it as passed.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast import stats
from holdfast.model.verdict import State, worst
from holdfast.recoveries import Recoveries, recoveries
from holdfast.units import show_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.model.scenario import Repeat
    from holdfast.model.verdict import Report

SCHEMA: Final = "holdfast/series/v1"
_PERCENT: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The trials of one scenario as far as they were played, by number from 1 to `repeat.times`.

    `seed` is the scenario's own: trial i was played with `seed + i`. `broken` says that no further trial may be
    played because a fault may still be there, even if no report says so; `ended` why the series ended early.
    """

    name: str
    scenario: str
    subject: str = ""
    seed: int = 0
    repeat: Repeat
    alpha: float = stats.ALPHA
    reports: Mapping[int, Report] = field(default_factory=dict)
    ended: str = ""
    broken: bool = False

    def __post_init__(self) -> None:
        strange = sorted(set(self.reports) - set(range(1, self.repeat.times + 1)))
        if strange:
            raise ValueError(f"a series of {self.repeat.times} has no trial {strange[0]}")

    def count(self, state: State) -> int:
        """Trials played that ended so."""
        return sum(report.state is state for report in self.reports.values())

    @property
    def failed(self) -> int:
        """Trials that were disproved."""
        return self.count(State.FAIL)

    @property
    def unproved(self) -> int:
        """Trials that are not PASS, those among them that were never played."""
        return self.repeat.times - self.count(State.PASS)

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers of the trials that were never played, or of which nothing is left."""
        return tuple(number for number in range(1, self.repeat.times + 1) if number not in self.reports)

    @property
    def over(self) -> bool:
        """Whether no further trial is to be played."""
        return self.broken or not self.missing or self.count(State.NOT_RESTORED) > 0

    @property
    def upper(self) -> float:
        """The chance that a trial is not PASS is at most this, with error at most `alpha`."""
        return stats.upper_bound(self.unproved, self.repeat.times, self.alpha)

    @property
    def lower(self) -> float:
        """The chance that a trial fails is at least this, with error at most `alpha`."""
        return stats.lower_bound(self.failed, self.repeat.times, self.alpha)

    @property
    def state(self) -> State:
        """The answer of the series; one with a trial missing is never PASS."""
        absent = [State.UNKNOWN] if self.missing else []
        left = [State.NOT_RESTORED] if self.broken or self.count(State.NOT_RESTORED) else []
        return worst([self._trials(), *absent, *left])

    def _trials(self) -> State:
        claim = self.repeat.fails_at_most
        if claim is None:
            return worst(report.state for report in self.reports.values())
        if self.upper <= claim:
            return State.PASS
        return State.FAIL if self.lower > claim else State.UNKNOWN

    @property
    def more(self) -> int | None:
        """Further clean trials that would prove the claim; None when it is decided, or when there is none."""
        claim = self.repeat.fails_at_most
        if claim is None or self.state is not State.UNKNOWN:
            return None
        played = len(self.reports)
        return stats.events_to_pass(played - self.count(State.PASS), played, claim, self.alpha)

    @property
    def sentence(self) -> str:
        """What was counted and what follows."""
        times, passed = self.repeat.times, self.count(State.PASS)
        doubtful = times - passed - self.failed
        counted = f"{passed} of {times} trials passed" + (f", {self.failed} failed" if self.failed else "")
        bound = f"the chance of a failure is below {show_ratio(rounded_up(self.upper))} ({show_ratio(1 - self.alpha)})"
        if doubtful:
            bound += f", counting {doubtful} that gave no proof as failed"
        return f"{counted}; {bound}.{self._claimed()}"

    def _claimed(self) -> str:
        claim = self.repeat.fails_at_most
        if claim is None:
            return ""
        allowed = f" At most {show_ratio(claim)} may fail"
        if self.state is State.FAIL:
            return f"{allowed}, and at least {show_ratio(self.lower, 3)} truly do."
        if self.state is State.UNKNOWN and self.more is not None:
            return f"{allowed}. Too few to decide: {self.more} more clean trial{'s' * (self.more != 1)} would prove it."
        return f"{allowed}."

    @property
    def recoveries(self) -> tuple[Recoveries, ...]:
        """How long recovery took, over all trials played."""
        return recoveries((report for _, report in sorted(self.reports.items())), self.alpha)

    def worst_trial(self) -> int | None:
        """Number of the first of the worst trials."""
        return min(self.reports, key=lambda one: (-self.reports[one].state.severity, one), default=None)

    def to_dict(self) -> dict[str, Any]:
        """For machines, and for judging the series again; the evidence lies in each trial's own run folder."""
        return {
            "schema": SCHEMA,
            "series": self.name,
            "scenario": self.scenario,
            "subject": self.subject,
            "seed": self.seed,
            "times": self.repeat.times,
            "fails_at_most": self.repeat.fails_at_most,
            "alpha": self.alpha,
            "verdict": self.state.value,
            "sentence": self.sentence,
            "counts": {state.value: self.count(state) for state in State} | {"missing": len(self.missing)},
            "lower": self.lower,
            "upper": self.upper,
            "more": self.more,
            "ended": self.ended,
            "not_restored": self.broken,
            "recoveries": [one.to_dict() for one in self.recoveries],
            "trials": [self._trial(number) for number in sorted(self.reports)],
        }

    def _trial(self, number: int) -> dict[str, Any]:
        report = self.reports[number]
        return {"trial": number, "seed": self.seed + number, "run": report.run, "verdict": report.state.value}


def answer_of(series: Series, states: Mapping[int, State]) -> tuple[State, int | None]:
    """The answer to one question that each trial answered, and the first trial that it comes from, if from one.

    Without a claim it is the worst of the trials, UNKNOWN at best while one is missing. A claim speaks of whole trials,
    so every question then has the answer of the series.
    """
    if series.repeat.fails_at_most is not None:
        return series.state, None
    state = worst([*states.values(), *([State.UNKNOWN] if series.missing else [])])
    return state, min((number for number, one in states.items() if one is state), default=None)


def rounded_up(share: float) -> float:
    """The next whole percent, below 1 % two significant digits: what a person may say and not claim too much."""
    step = _PERCENT if share >= _PERCENT else 10.0 ** (math.floor(math.log10(share)) - 1)
    return round(min(1.0, math.ceil(round(share / step, 9)) * step), 12)


def series_text(series: Series) -> str:
    """The series for a person: its state, what was counted, and which trials were not good."""
    lines = [f"{series.state:<12} {series.scenario}: {series.sentence}"]
    lines += [f"{'':<12} {one.sentence}" for one in series.recoveries]
    bad = Counter(report.state for report in series.reports.values() if report.state is not State.PASS)
    for state in sorted(bad, key=lambda one: one.severity, reverse=True):
        which = [number for number, report in sorted(series.reports.items()) if report.state is state]
        lines.append(f"{'':<12} {state}: trial {listed(which)}")
    if series.missing:
        lines.append(f"{'':<12} never played: trial {listed(series.missing)}")
    if series.ended:
        lines.append(f"{'':<12} {series.ended}")
    return "\n".join(lines)


def listed(numbers: Sequence[int]) -> str:
    """Numbers as people write them: 2, 5 to 10."""
    words: list[str] = []
    start = 0
    for end in range(1, len(numbers) + 1):
        if end == len(numbers) or numbers[end] != numbers[end - 1] + 1:
            first, last = numbers[start], numbers[end - 1]
            words.append(f"{first}" if first == last else f"{first} to {last}")
            start = end
    return ", ".join(words)
