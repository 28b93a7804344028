"""When a phase may end before its planned time: as soon as all that looks at it is settled, by rules that bear peeking.

Why looking does no harm. A ratio is settled when its e-process has crossed its threshold, and Ville's inequality bounds
the chance that it *ever* does so wrongly, over all lengths of the sequence at once. The sequence is the requests in the
order in which they were due. A look sees a beginning of it in which every request has ended (`holdfast.load.prefix`),
never a choice made by how requests went; so whichever beginning a look happens to see, because it came early or late
or a request was slow, is one of those that the bound speaks of. After the decision the requests under way still end,
and a few more are due: the verdict is asked once more, over all of them. That is a later look at the same sequence, so
it may take an answer back, and errs no more often.

What is asked for by time is never settled by a result: an expectation that measures from the fault is settled when the
record is long enough for its bounds, one that asks for silence when the time is over that the scenario gave it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import State

if TYPE_CHECKING:
    from holdfast.model.scenario import Expectation, Phase
    from holdfast.model.timeline import Timeline

EVERY: Final = 1.0
"""Seconds between two looks at least: more often shows no more than Prometheus could count."""

GROWTH: Final = 1.02
"""Requests that a look sees, over those of the look before. A look costs in proportion to them, so all looks together
cost some fifty times the last one, however long the run; and a phase ends at most about 2 % later than it could."""


def prepare() -> None:
    """Import what the first look needs: a second of work that must not fall into a run."""
    for name in ("pandas", "scipy.special"):
        import_module(name)


@dataclass(slots=True)
class Looks:
    """Keeps looks rare, so that they take no time from whoever offers the load on the same machine."""

    _not_before: float = -math.inf
    _known: float = 0.0

    def due(self, t: float, known: int) -> bool:
        """Whether to look at second `t` of the run, when `known` requests could be seen. Says so once."""
        if t < self._not_before or known < self._known:
            return False
        self._not_before, self._known = t + EVERY, known * GROWTH
        return True


def settled(timeline: Timeline, phase: Phase) -> tuple[str, ...]:
    """What is asked of the phase, by name, when the run so far settles all of it; empty when the phase must go on.

    A phase that no expectation names goes on to its planned end: nothing says what it is for. What is asked of the
    whole run must be settled too.
    """
    asked = timeline.scenario.expect
    naming = [one for one in asked if phase.name in _phases_of(one)]
    of_all = [one for one in asked if not _phases_of(one)]
    if not (phase.may_end_early and naming and all(_is_settled(one, timeline) for one in (*naming, *of_all))):
        return ()
    return tuple(one.id for one in naming)


def _phases_of(expectation: Expectation) -> tuple[str, ...]:
    """The phases that it names; an expectation without such looks at the whole run."""
    return tuple(getattr(expectation, "during", ()))


def _is_settled(expectation: Expectation, timeline: Timeline) -> bool:
    """One that cannot be asked is not settled: the run goes on, and its judgement tells what is wrong."""
    try:
        if not expectation.settled(timeline):
            return False
        return not _phases_of(expectation) or _stands(expectation, timeline)
    except Exception:  # noqa: BLE001 - as in `judge`: a look that breaks must not lose the run
        return False


def _stands(expectation: Expectation, timeline: Timeline) -> bool:
    """Whether the answer stands beside the other questions: of several asked, one may seem to FAIL by chance.

    The judgement corrects for that by Holm's method, whose first and hardest step is alpha / questions.
    """
    if expectation.judge(timeline).state is not State.FAIL:
        return True
    scenario = timeline.scenario
    questions = sum(1 for one in scenario.expect if _phases_of(one))
    return expectation.settled(replace(timeline, scenario=replace(scenario, alpha=scenario.alpha / questions)))
