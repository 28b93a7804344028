"""Attempts of a gate at the same thing: running again until it passes must not work. Pure.

Two rules. A FAIL stands: what failed once needs a change, not another try. And evidence is carried: from the second
attempt on, a counted objective is proved by all trusted attempts together, through the product of their e-values
(`holdfast.stats.sequential`), which must reach 1 / alpha. What is judged by chance and has no e-value, such as a
comparison of two samples, must have passed in every trusted attempt.

For a platform just at its limit: the first attempt passes with probability at most alpha, by exact bounds. The product
is a non-negative supermartingale that starts at 1, so all later attempts together, however many, pass with probability
at most alpha (Ville): at most 2 alpha in all. Asking the exact bounds again each time gives 1 - (1 - alpha)^5, 23 %,
after five tries. What is assumed: attempts err independently of each other given the platform, and whether a record can
be trusted does not depend on how good it looks; whoever stops each attempt that looks bad breaks that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast import stats
from holdfast.model.verdict import State, worst

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.model.verdict import Check, Report, Verdict
    from holdfast.trials import Series

_SHARE: Final = "bad-event ratio"
"""Unit of what is a share of counted events within a limit: only that has the e-value of `stats.log_e`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one attempt counted for one objective: `bad` of `n` events, which tell as much as `n_eff` independent ones.

    Not `trusted` when a check of trust spoils it: then it carries no evidence.
    """

    id: str
    n: int
    bad: int
    n_eff: float
    limit: float
    trusted: bool = True

    @property
    def log_e(self) -> float:
        """Natural logarithm of the e-value for "within the limit"; 0 carries nothing."""
        if not self.trusted or self.n <= 0:
            return 0.0
        return stats.log_e(self.bad * self.n_eff / self.n, self.n_eff, self.limit, stats.GOOD_RATIOS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one attempt ended by itself.

    `failed`: something was disproved, also where the state is worse. `rest` is the worst of all that more evidence
    about `counted` could not mend. `undecided` names what was judged by chance, could be trusted, did not pass, and has
    no e-value. One that was killed is UNKNOWN and carries nothing.
    """

    state: State = State.UNKNOWN
    failed: bool = False
    rest: State = State.UNKNOWN
    counted: tuple[Counted, ...] = ()
    undecided: tuple[str, ...] = ()
    run: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For the ledger; `from_dict` reads it back."""
        fields = ("id", "n", "bad", "n_eff", "limit", "trusted")
        return {
            "state": self.state.value,
            "failed": self.failed,
            "rest": self.rest.value,
            "run": self.run,
            "counted": [{name: getattr(one, name) for name in fields} for one in self.counted],
            "undecided": list(self.undecided),
        }


def from_dict(told: Mapping[str, Any]) -> Attempt:
    """What `to_dict` wrote. Raises KeyError, TypeError or ValueError when it did not."""
    return Attempt(
        state=State(told["state"]),
        failed=told["failed"] is True,
        rest=State(told["rest"]),
        run=str(told["run"]),
        counted=tuple(Counted(**one) for one in told["counted"]),
        undecided=tuple(map(str, told["undecided"])),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a scenario contributes to a gate, in the light of earlier attempts at the same subject.

    `attempt` counts from 1 and is None where attempts cannot be counted; `earlier` are the states of the others, as
    each ended by itself; `own` is this attempt's. `series` is the series' file for machines, if it was one.
    """

    scenario: str
    run: str
    state: State
    own: State
    attempt: int | None = None
    earlier: tuple[State, ...] = ()
    sentence: str = ""
    series: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """For the gate's decision."""
        told = {
            "run": self.run,
            "verdict": self.state.value,
            "own_verdict": self.own.value,
            "attempt": self.attempt,
            "earlier": [state.value for state in self.earlier],
            "sentence": self.sentence,
        }
        return told | ({"series": dict(self.series)} if self.series is not None else {})


def standing_from(scenario: str, told: Mapping[str, Any]) -> Standing:
    """What `Standing.to_dict` wrote. Raises KeyError or ValueError when it did not."""
    return Standing(
        scenario=scenario,
        run=told["run"],
        state=State(told["verdict"]),
        own=State(told["own_verdict"]),
        attempt=told["attempt"],
        earlier=tuple(map(State, told["earlier"])),
        sentence=told["sentence"],
        series=told.get("series"),
    )


def attempt_of(report: Report) -> Attempt:
    """What one judged run is as an attempt."""
    names = _apart([one.id for one in report.verdicts])
    asked = [(_counted(name, one, report.checks), one) for name, one in zip(names, report.verdicts, strict=True)]
    open_yet = [one for counted, one in asked if counted and counted.trusted and _undecided(one)]
    rest = [one.state for one in report.verdicts if one not in open_yet]
    states = [*rest, *(check.state for check in report.checks)]
    return Attempt(
        state=report.state,
        failed=any(one.state is State.FAIL for one in report.verdicts),
        # A report says worse than its parts when it has none; nothing is mended then.
        rest=worst(states) if states and report.verdicts else State.UNKNOWN,
        counted=tuple(counted for counted, _ in asked if counted),
        undecided=tuple(name for name, one in zip(names, report.verdicts, strict=True) if _open(one, report.checks)),
        run=report.run,
    )


def _apart(names: Sequence[str]) -> list[str]:
    """The names, those that come again with their place: one's requests are no evidence for the other."""
    return [
        f"{name} ({names[:place].count(name) + 1})" if name in names[:place] else name
        for place, name in enumerate(names)
    ]


def _undecided(verdict: Verdict) -> bool:
    """PASS, or UNKNOWN for want of events: the states in which more evidence of the same kind has the last word."""
    seen = verdict.evidence
    beyond = seen.low is None or seen.limit is None or not seen.low <= seen.limit
    return verdict.state is State.PASS or (verdict.state is State.UNKNOWN and not beyond)


def _counted(name: str, verdict: Verdict, checks: Sequence[Check]) -> Counted | None:
    """The counts of an expectation about a share of events; None for any other."""
    seen = verdict.evidence
    if seen.p is None or seen.unit != _SHARE or seen.limit is None or not 0 < seen.limit < 1:
        return None
    n, bad, n_eff = int(seen.n or 0), int(seen.bad or 0), float(seen.n_eff or 0.0)
    if not (0 <= bad <= n and 0 < n_eff <= n):
        return Counted(id=name, n=0, bad=0, n_eff=0.0, limit=seen.limit, trusted=False)
    return Counted(id=name, n=n, bad=bad, n_eff=n_eff, limit=seen.limit, trusted=not _spoiled(verdict, checks))


def _open(verdict: Verdict, checks: Sequence[Check]) -> bool:
    """Whether an expectation without an e-value was left open by chance, and not by a record that nobody can trust."""
    by_chance = verdict.evidence.p is not None and _counted("", verdict, checks) is None
    return by_chance and verdict.state is not State.PASS and not _spoiled(verdict, checks)


def _spoiled(verdict: Verdict, checks: Sequence[Check]) -> bool:
    return any(one.state is State.UNKNOWN and one.touches(verdict.kind) for one in checks)


def attempt_of_series(series: Series) -> Attempt:
    """What a series is as an attempt: with a claim its trials are what is counted, else every trial's own counts."""
    claim, state = series.repeat.fails_at_most, series.state
    failed = series.failed > 0 if claim is None else series.lower > claim
    if claim is None:
        trials = [attempt_of(report) for _, report in sorted(series.reports.items())]
        return Attempt(
            state=state,
            failed=failed,
            rest=state,
            counted=tuple(counted for one in trials for counted in one.counted),
            undecided=tuple(dict.fromkeys(name for one in trials for name in one.undecided)),
            run=series.name,
        )
    times, bad = series.repeat.times, series.unproved
    whole = Counted(id="trials", n=times, bad=bad, n_eff=times, limit=claim)
    mendable = not series.missing and state in (State.PASS, State.UNKNOWN)
    rest = State.PASS if mendable else state
    return Attempt(state=state, failed=failed, rest=rest, counted=(whole,), run=series.name)


def stand(scenario: str, own: Attempt, number: int, others: Mapping[int, Attempt], alpha: float) -> Standing:
    """What attempt `number` is worth; `others` are all others at the same thing by number, also those cut short."""
    state, sentence = _proved(own, number, others, alpha)
    failed = [one for one, other in sorted(others.items()) if other.failed or other.state is State.FAIL]
    if failed:
        state = worst([state, State.FAIL])
        run = others[failed[0]].run
        named = f"Attempt {failed[0]}" + (f" ({run})" if run else "")
        sentence = f"{named} ended {State.FAIL}, and that stands for this subject: it takes a change, not another try."
    return Standing(
        scenario=scenario,
        run=own.run,
        state=state,
        own=own.state,
        attempt=number,
        earlier=tuple(other.state for _, other in sorted(others.items())),
        sentence=sentence,
    )


def _proved(own: Attempt, number: int, others: Mapping[int, Attempt], alpha: float) -> tuple[State, str]:
    """The first attempt as it was judged; a later one by what all of them together prove."""
    if number <= 1:
        return own.state, ""
    left_open = [(one, name) for one, other in sorted(others.items()) for name in other.undecided]
    if left_open:
        one, name = left_open[0]
        said = (
            f"{name} was undecided in attempt {one}, and attempts of it do not add up: it takes more requests in one."
        )
        return worst([own.state, State.UNKNOWN]), said
    if not own.counted:
        return own.state, ""
    total = evidence([*others.values(), own])
    weakest = min((one.id for one in own.counted), key=lambda name: total[name])
    seen = f"all {number} attempts together give an e-value of {_shown(total[weakest])}"
    if total[weakest] >= -math.log(alpha):
        return own.rest, f"{weakest}: {seen}; {1 / alpha:.3g} is enough."
    return worst([own.rest, State.UNKNOWN]), f"{weakest}: {seen}; {1 / alpha:.3g} would prove it."


def evidence(attempts: Sequence[Attempt]) -> dict[str, float]:
    """Logarithm of the product of e-values over attempts, by objective."""
    total: dict[str, float] = {}
    for attempt in attempts:
        for one in attempt.counted:
            total[one.id] = total.get(one.id, 0.0) + one.log_e
    return total


def _shown(log_e: float) -> str:
    """An e-value for a person: large ones are more than enough, tiny ones none at all."""
    most = 1e6
    value = math.exp(min(log_e, math.log(most)))
    return f"over {most:,.0f}" if value >= most else f"{value:.3g}"
