"""How long recovery took over the trials of a series, those included that ended before it was seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast import stats
from holdfast.model.verdict import State
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from holdfast.model.verdict import Evidence, Report

_KEPT: Final = "seconds to SLO restored"
"""Names under which a `recovery` shows when the SLO was kept again, and what that surely took where nobody saw it."""
_CENSORED: Final = f"{_KEPT}, more than"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recoveries:
    """One recovery expectation over several trials: how long each took and whether its end was seen (else censored)."""

    id: str
    seconds: tuple[float, ...]
    seen: tuple[bool, ...]
    within: float
    alpha: float

    @property
    def median(self) -> float | None:
        """Seconds in which half of the recoveries are over (Kaplan and Meier); None when fewer were seen to end."""
        return stats.median_recovery(self.seconds, self.seen)

    @property
    def late(self) -> float:
        """At most this share takes longer than `within`, with error at most `alpha`."""
        return stats.waiting_upper_bound(self.seconds, self.seen, self.within, self.alpha)

    @property
    def sentence(self) -> str:
        """For a person."""
        median = "unknown" if self.median is None else show_duration(round(self.median, 3))
        return (
            f"{self.id}: seen to end in {sum(self.seen)} of {len(self.seen)} trials, median {median}; "
            f"at most {show_ratio(self.late, 3)} take longer than {show_duration(self.within)}."
        )

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        times = [{"seconds": seconds, "seen": seen} for seconds, seen in zip(self.seconds, self.seen, strict=True)]
        return {"id": self.id, "within": self.within, "median": self.median, "late": self.late, "trials": times}


def recoveries(reports: Iterable[Report], alpha: float) -> tuple[Recoveries, ...]:
    """Every recovery expectation that two trials or more tell of; one that cannot be trusted tells nothing."""
    found: dict[str, list[tuple[Evidence, float, bool]]] = {}
    for report in reports:
        for name, evidence in _told(report):
            kept, least = evidence.other.get(_KEPT), evidence.other.get(_CENSORED, 0.0)
            seconds = kept if isinstance(kept, int | float) else least
            if isinstance(seconds, int | float):
                found.setdefault(name, []).append((evidence, float(seconds), isinstance(kept, int | float)))
    return tuple(
        Recoveries(
            id=name,
            seconds=tuple(seconds for _, seconds, _ in times),
            seen=tuple(seen for _, _, seen in times),
            within=times[0][0].limit or 0.0,
            alpha=alpha,
        )
        for name, times in found.items()
        if len(times) > 1
    )


def _told(report: Report) -> Iterator[tuple[str, Evidence]]:
    spoiled = any(check.state is State.UNKNOWN and check.touches("recovery") for check in report.checks)
    for verdict in report.verdicts:
        if verdict.kind == "recovery" and _KEPT in verdict.evidence.other and not spoiled:
            yield verdict.id, verdict.evidence
