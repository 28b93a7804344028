"""The answer: four states that merge to the worst, each with the numbers that carry it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from holdfast.errors import ExitCode, Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class State(StrEnum):
    """PASS needs proof; UNKNOWN: the evidence does not decide; NOT_RESTORED: a fault may still be there."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    UNKNOWN = "UNKNOWN"
    FAIL = "FAIL"
    NOT_RESTORED = "NOT_RESTORED"

    @property
    def severity(self) -> int:
        """Larger is worse."""
        return list(State).index(self)

    @property
    def exit_code(self) -> ExitCode:
        """What a pipeline reads."""
        return ExitCode[self.name]


def worst(states: Iterable[State]) -> State:
    """The merge of several answers. Nothing to merge proves nothing: UNKNOWN."""
    return max(states, key=lambda state: state.severity, default=State.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The numbers behind a verdict; a field that does not apply is None.

    `n` events of which `bad` were bad, telling as much as `n_eff` independent ones; `estimate` with the interval `low`
    to `high` (each bound wrong with probability at most `alpha`) against `limit`; `p` is the smallest alpha at which
    this alone would be FAIL, None for what is not a matter of chance; `more` is how many further clean events would
    decide an UNKNOWN. `other` holds what the second witness counted and anything else worth showing, by name.
    """

    n: int | None = None
    bad: int | None = None
    n_eff: float | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    unit: str = ""
    method: str = ""
    alpha: float | None = None
    p: float | None = None
    more: int | None = None
    other: Mapping[str, float | int | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One expectation's answer and a sentence that a person can act on."""

    id: str
    kind: str
    state: State
    sentence: str
    evidence: Evidence = Evidence()
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question of trust about the record: `limit` and its reason, what was seen, and what depends on it.

    `state` is PASS, UNKNOWN or NOT_RESTORED: a record that cannot be trusted never fails a platform. `spoils` names
    the kinds of expectation that may not be answered when this check is not passed; empty means all of them.
    """

    name: str
    state: State
    seen: str
    limit: str
    reason: str
    spoils: frozenset[str] = frozenset()

    def touches(self, kind: str) -> bool:
        """Whether an expectation of `kind` depends on this check."""
        return not self.spoils or kind in self.spoils


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A judged run: every verdict and check, and where they came from. Pure input to every renderer."""

    scenario: str
    title: str
    run: str
    state: State
    verdicts: tuple[Verdict, ...]
    checks: tuple[Check, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)
