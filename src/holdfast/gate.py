"""A gate's decision: every expected scenario ran, and the worst of their states. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.model.verdict import Report, State, worst

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a promotion may rely on; `missing` names scenarios that were expected and gave no verdict."""

    gate: str
    subject: str
    state: State
    expected: tuple[str, ...]
    missing: tuple[str, ...]
    reports: tuple[Report, ...]

    def to_dict(self) -> dict[str, Any]:
        """For machines; the evidence itself lies in each run's folder."""
        return {
            "schema": "holdfast/gate/v1",
            "gate": self.gate,
            "subject": self.subject,
            "verdict": self.state.value,
            "expected": list(self.expected),
            "missing": list(self.missing),
            "runs": {report.scenario: {"run": report.run, "verdict": report.state.value} for report in self.reports},
        }


def decide(gate: str, subject: str, expected: Sequence[str], reports: Sequence[Report]) -> Decision:
    """PASS only when every expected scenario, one at least, has a report and all of them are PASS."""
    done = Counter(report.scenario for report in reports)
    # Two files may name the same scenario: each must have its own report.
    missing = tuple((Counter(expected) - done).elements())
    unproved = [State.UNKNOWN] if missing or not expected else []
    return Decision(
        gate=gate,
        subject=subject,
        state=worst([*(report.state for report in reports), *unproved]),
        expected=tuple(expected),
        missing=missing,
        reports=tuple(reports),
    )
