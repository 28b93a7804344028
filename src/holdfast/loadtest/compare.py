"""Compares the load records of runs: trusted ones only, their judged requests only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from holdfast import trust
from holdfast.errors import UsageError
from holdfast.loadtest.difference import ALPHA, Allowed, Figure, figures
from holdfast.model.verdict import State, worst
from holdfast.store.reading import read_timeline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from holdfast.model.timeline import Timeline

ASKED: Final = frozenset({"record whole", "phases kept", "load offered", "load on time", "clock sane"})
"""Checks of trust without which the times in a record are not the platform's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Figures of both sides, what makes a run no evidence, and the answer for all of it."""

    base: tuple[str, ...]
    new: tuple[str, ...]
    figures: tuple[Figure, ...]
    troubles: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """UNKNOWN as long as a record is in doubt or there is nothing to compare."""
        if self.troubles or not self.figures:
            return State.UNKNOWN
        return worst(figure.state for figure in self.figures)

    @property
    def sentence(self) -> str:
        """The answer as one line for a person."""
        if self.troubles:
            return "Not compared: a record is in doubt."
        by = {state: [one.name for one in self.figures if one.state is state] for state in State}
        if by[State.FAIL]:
            return f"Worse by more than the margin: {', '.join(by[State.FAIL])}."
        if by[State.UNKNOWN] or not self.figures:
            return f"Not decided: {', '.join(by[State.UNKNOWN]) or 'nothing to compare'}. More requests would tell."
        return "Nothing is worse by more than the margin."


def compare(
    base: Sequence[Path], new: Sequence[Path], allowed: Allowed, *, during: Sequence[str] = (), seed: int = 1
) -> Comparison:
    """Compare run folders, several a side where they were played in turn. Raises UsageError for what is no run."""
    sides = [[read_timeline(folder) for folder in side] for side in (base, new)]
    troubles = [trouble for side in sides for timeline in side for trouble in _troubles(timeline, sides[0][0])]
    tables = [[judged(timeline, during) for timeline in side] for side in sides]
    found = figures(tables[0], tables[1], allowed, random=np.random.default_rng(seed), alpha=ALPHA)
    return Comparison(
        base=tuple(one.run for one in sides[0]),
        new=tuple(one.run for one in sides[1]),
        figures=found,
        troubles=tuple(troubles),
    )


def _troubles(timeline: Timeline, first: Timeline) -> list[str]:
    """Why this run is no evidence: by its own record, or because it was another load than the first one's."""
    found = [
        f"{timeline.run}: {check.name}: {check.seen}"
        for check in trust.checks(timeline)
        if check.name in ASKED and check.state is not State.PASS
    ]
    if timeline.scenario.load != first.scenario.load:
        found.append(f"{timeline.run}: offered another load than {first.run}")
    return found


def judged(timeline: Timeline, during: Sequence[str] = ()) -> pd.DataFrame:
    """Requests due in the phases named, or in every judged one. Raises UsageError for a phase that is not there."""
    phases = {phase.name: phase for phase in timeline.scenario.phases}
    if missing := [name for name in during if name not in phases]:
        raise UsageError(f"{timeline.run} has no phase {missing[0]}", hint=f"its phases: {', '.join(phases)}")
    wanted = [phases[name] for name in during] or [phase for phase in phases.values() if phase.judged]
    due = timeline.load.requests["due"]
    inside = np.zeros(len(due), dtype=bool)
    for phase in wanted:
        inside |= ((due >= phase.start) & (due < phase.end)).to_numpy()
    return timeline.load.requests[inside].sort_values("due", ignore_index=True)


def to_dict(found: Comparison) -> dict[str, Any]:
    """The comparison for machines."""
    return {
        "schema": "holdfast/load-comparison/v1",
        "state": found.state.name,
        "sentence": found.sentence,
        "base": list(found.base),
        "new": list(found.new),
        "troubles": list(found.troubles),
        "figures": [_figure(one) for one in found.figures],
    }


def _figure(one: Figure) -> dict[str, Any]:
    numbers = {name: getattr(one, name) for name in ("low", "high", "smallest")}
    return {
        "name": one.name,
        "state": one.state.name,
        "base": one.base,
        "new": one.new,
        "differs": one.differs,
        **{name: value if np.isfinite(value) else None for name, value in numbers.items()},
    }
