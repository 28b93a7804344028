"""How well alerts tell incidents: which were found, how fast, and how many alerts stood for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.slo.evaluate.backtest import Firing
    from holdfast.slo.review.model import Cause

SEVERITIES: Final = ("page", "ticket")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One incident, and after how many seconds an alert fired; 0 where it fired already, None where none did."""

    name: str
    start: float
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Alerts of one severity beside the incidents of the time span; an alert is right when it fires during one."""

    severity: str
    found: tuple[Found, ...]
    alerts: int
    right: int

    @property
    def recall(self) -> float | None:
        """The share of incidents that an alert told; None without incidents."""
        return sum(one.after is not None for one in self.found) / len(self.found) if self.found else None

    @property
    def precision(self) -> float | None:
        """The share of alerts that told an incident; None without alerts."""
        return self.right / self.alerts if self.alerts else None

    @property
    def slowest(self) -> float | None:
        """Seconds until the last-found incident was found; None where none was."""
        return max((one.after for one in self.found if one.after is not None), default=None)


def scores(
    firings: Iterable[Firing], incidents: Iterable[Cause], slo: str, start: float, end: float
) -> tuple[Score, ...]:
    """One score for each severity that fires, and for pages in any case.

    Incidents that touch other SLOs alone, or lie outside of `start` to `end`, do not count.
    """
    mine = [one for one in incidents if (not one.slos or slo in one.slos) and one.start < end and one.end > start]
    fired = list(firings)
    shown = [one for one in SEVERITIES if one == "page" or any(firing.severity == one for firing in fired)]
    return tuple(_score(severity, [one for one in fired if one.severity == severity], mine) for severity in shown)


def _score(severity: str, firings: list[Firing], incidents: list[Cause]) -> Score:
    found = []
    for incident in incidents:
        starts = [one.start for one in firings if _during(one, incident)]
        after = max(0.0, min(starts) - incident.start) if starts else None
        found.append(Found(name=incident.name, start=incident.start, after=after))
    right = sum(any(_during(one, incident) for incident in incidents) for one in firings)
    return Score(severity=severity, found=tuple(found), alerts=len(firings), right=right)


def _during(firing: Firing, incident: Cause) -> bool:
    return firing.start < incident.end and (firing.end is None or firing.end > incident.start)
