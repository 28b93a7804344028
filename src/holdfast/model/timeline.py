"""The record of a run on one clock: events, requests, what Prometheus said, what was alerted.

All times are seconds from run start. Nothing here decides anything; `trust` and `judge` read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from holdfast.clock import Anchor
    from holdfast.model.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of `events.ndjson`: something the harness did or saw at `t`."""

    t: float
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """What the load generator wrote: `requests` has one row per planned arrival that was reached.

    Columns: id, due, sent, first, last, done (seconds, NaN when not reached), status, outcome, error, prompt_tokens,
    asked_tokens, tokens, max_gap, model. `beats` are its heartbeats: t, lag, cpu, in_flight, offered, sent, worker (NaN
    where one process offered all). `workers` is what became of each, as the load record says it (`load.fleet`).
    """

    planned: int
    requests: pd.DataFrame
    beats: pd.DataFrame
    ended: bool
    dropped: int = 0
    workers: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What Prometheus counted for one SLO over one phase; None where it had no number to give."""

    slo: str
    phase: str
    total: float | None
    bad: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One range query: name, labels, and (t, value) pairs."""

    name: str
    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One series of an answer: its labels, and (t, value) pairs; None is a sample that is no number (NaN)."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an expression gave over one phase, asked once an interval; `trouble` says why nothing, in its own words."""

    query: str
    phase: str
    series: tuple[Sampled, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Everything taken from Prometheus; `trouble` says why something is missing, empty when nothing is."""

    counted: tuple[Counted, ...] = ()
    series: tuple[Series, ...] = ()
    answers: tuple[Answer, ...] = ()
    interval: float = 1.0
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """One notification as the receiver got it."""

    t: float
    name: str
    status: str
    severity: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One run, whole: the only input of `trust` and `judge`."""

    run: str
    scenario: Scenario
    anchor: Anchor
    events: tuple[Event, ...]
    load: LoadRecord
    metrics: Metrics
    alerts: tuple[AlertEvent, ...]
    damaged: tuple[str, ...] = ()
    """Files of the run folder that are missing, cut short or changed since they were sealed."""

    def of(self, kind: str, **match: object) -> Sequence[Event]:
        """Events of one kind whose data match, in order."""
        return [
            event
            for event in self.events
            if event.kind == kind and all(event.data.get(key) == value for key, value in match.items())
        ]

    def first(self, kind: str, **match: object) -> Event | None:
        """The first of them, or None."""
        return next(iter(self.of(kind, **match)), None)
