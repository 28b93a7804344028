"""What every kind of expectation shares: how its names are resolved, and how requests become events of an SLO."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import Evidence, State, Verdict, worst
from holdfast.spec.shapes import Strict
from holdfast.spec.source import did_you_mean

PROGRESS: Final = 3.0
"""Seconds without a token after which a request counts as stuck."""

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

    from holdfast.errors import Location, Problem
    from holdfast.model.scenario import Expectation, Phase
    from holdfast.model.slo import ClientSli, Slo
    from holdfast.model.timeline import Timeline
    from holdfast.spec.source import Path, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where one item under `expect:` stands, and what its names may refer to; problems are gathered, not raised."""

    source: Source
    path: Path
    slos: Mapping[str, Slo]
    phases: tuple[Phase, ...]
    problems: list[Problem]
    broken: frozenset[str] = frozenset()
    """SLOs that are there but cannot be read; their own problems are told already."""
    read: Callable[[str], str | None] = lambda _: None
    """Name of a file in the project -> its text, which from now on is kept with the scenario; None if there is none."""

    @property
    def where(self) -> Location:
        """The item's own line."""
        return self.source.location(self.path)

    def slo(self, key: str, name: str) -> Slo | None:
        """The SLO of that name, witnessed by clients; or None with the problem noted."""
        slo = self.slos.get(name)
        if slo is None and name in self.broken:
            return None
        if slo is None:
            self.trouble((key,), f"no SLO named {name!r} in slos/", did_you_mean(name, {*self.slos, *self.broken}))
        elif slo.sli is None:
            self.trouble(
                (key,),
                f"clients cannot witness SLO {name!r}",
                f"say how in {slo.where}: labels: {{sli: availability}} or {{sli: ttft, bound: 500ms}}",
            )
            return None
        return slo

    def phase_names(self, key: str, names: Sequence[str]) -> tuple[str, ...]:
        """The names, each checked to be a judged phase."""
        judged = {phase.name for phase in self.phases if phase.judged}
        known = {phase.name for phase in self.phases}
        for index, name in enumerate(names):
            if name not in known:
                self.trouble((key, index), f"no phase named {name!r}", did_you_mean(name, judged))
            elif name not in judged:
                self.trouble((key, index), f"phase {name!r} is not judged", "take it out, or remove judged: false")
        return tuple(names)

    def needs_fault(self, key: str) -> None:
        """Note a problem when no phase has a fault to measure from."""
        if not any(phase.chaos for phase in self.phases):
            self.trouble((key,), "there is no fault to measure from", "give one phase a chaos: experiment")

    def trouble(self, below: Path, what: str, hint: str = "") -> None:
        """Note a problem at a place inside the item."""
        self.problems.append(self.source.problem((*self.path, *below), what, hint=hint))


class ExpectationShape(Strict):
    """A shape that can become an expectation."""

    @abstractmethod
    def resolve(self, context: Context) -> Expectation | None:
        """The expectation; or None, with its problems noted in the context."""


def bad_events(requests: pd.DataFrame, slo: Slo) -> pd.Series[bool]:
    """Which requests are bad events of an SLO, as the client saw them."""
    return bad_requests(requests, slo.sli, slo.bound)


def bad_requests(requests: pd.DataFrame, sli: ClientSli | None, bound: float | None) -> pd.Series[bool]:
    """Which requests failed (availability), or were not within `bound` seconds (ttft, e2e).

    Latency counts from the due time, so that a late or stalled client never flatters; a request that failed before
    its first token has infinite latency. NaN compares as bad.
    """
    if sli == "availability":
        return requests["outcome"] != "ok"
    reached = requests["first"] if sli == "ttft" else requests["done"].where(requests["outcome"] == "ok")
    return ~((reached - requests["due"]) <= bound)


def valid_events(requests: pd.DataFrame) -> pd.DataFrame:
    """The requests that count: all that were sent, whatever became of them."""
    return requests[requests["outcome"] != "dropped"]


def requests_of(timeline: Timeline, names: Iterable[str]) -> pd.DataFrame:
    """The requests that count towards some phases, each request in exactly one phase.

    A request belongs to the phase it was due in; but one that was under way when a fault struck, and had made progress
    within PROGRESS seconds before, belongs to the fault's phase: what happened to it is the fault's doing. One that was
    stuck before the fault stays where it was.
    """
    requests = valid_events(timeline.load.requests)
    chosen = _member(requests["due"], [timeline.scenario.phase(name) for name in names])
    for phase in timeline.scenario.phases:
        struck = timeline.first("fault", phase=phase.name, step="applied")
        if phase.chaos and struck:
            taken = _under_way(requests, phase, struck.t)
            chosen = chosen | taken if phase.name in names else chosen & ~taken
    return requests[chosen]


def _member(due: pd.Series[float], phases: Iterable[Phase]) -> pd.Series[bool]:
    within = [(due >= phase.start) & (due < phase.end) for phase in phases]
    return reduce(or_, within, due < -math.inf)


def _under_way(requests: pd.DataFrame, phase: Phase, struck: float) -> pd.Series[bool]:
    """Due before the phase, not ended when the fault struck, and moving until then.

    Tokens on both sides of the strike with no long gap anywhere were moving too, though `last` is only known after it.
    """
    first, last, ended = requests["first"], requests["last"], requests["done"].fillna(math.inf)
    streaming = (first < struck) & (last >= struck) & (requests["max_gap"] <= PROGRESS)
    last_sign = last.where(last < struck).fillna(requests["due"])
    moving = streaming | (last_sign >= struck - PROGRESS)
    return (requests["due"] < phase.start) & (ended >= struck) & moving


def merged(asked: Expectation, answers: Sequence[tuple[State, str]], evidence: Evidence) -> Verdict:
    """One verdict from several answers: the worst state, and every sentence."""
    return Verdict(
        id=asked.id,
        kind=asked.kind,
        state=worst(state for state, _ in answers),
        sentence=" ".join(sentence for _, sentence in answers),
        evidence=evidence,
        where=asked.where,
    )


def fault_time(timeline: Timeline, step: str) -> float | None:
    """When the first fault reached a step (applied, gone …), or None when it was never seen to."""
    event = timeline.first("fault", step=step)
    return event.t if event else None
