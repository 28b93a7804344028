"""A gate's decision: every expected scenario ran, and the worst of their states. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.attempts import Standing
from holdfast.model.verdict import State, worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.freeze import Freeze


class Answer(Protocol):
    """What one scenario contributes: a run's report, or its standing among all attempts."""

    @property
    def scenario(self) -> str:
        """Its name."""

    @property
    def run(self) -> str:
        """Folder of its run, or name of its series."""

    @property
    def state(self) -> State:
        """Its verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a promotion may rely on; `missing` names scenarios that were expected and gave no verdict.

    `freeze` is what error budgets say of changes now; None where no policy asks them.
    """

    gate: str
    subject: str
    state: State
    expected: tuple[str, ...]
    missing: tuple[str, ...]
    answers: tuple[Answer, ...]
    freeze: Freeze | None = None

    @property
    def attempts(self) -> str:
        """Whether the attempts at this subject are known; without, nothing keeps anybody from trying again."""
        numbers = [one.attempt for one in self.answers if isinstance(one, Standing)]
        return "counted" if numbers and None not in numbers else "unknown"

    def to_dict(self) -> dict[str, Any]:
        """For machines; the evidence itself lies in each run's folder."""
        told = {
            "schema": "holdfast/gate/v1",
            "gate": self.gate,
            "subject": self.subject,
            "verdict": self.state.value,
            "attempts": self.attempts,
            "expected": list(self.expected),
            "missing": list(self.missing),
            "runs": {one.scenario: _told(one) for one in self.answers},
        }
        return told | ({"freeze": self.freeze.to_dict()} if self.freeze else {})


def _told(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Standing):
        return answer.to_dict()
    return {"run": answer.run, "verdict": answer.state.value}


def decide(
    gate: str, subject: str, expected: Sequence[str], answers: Sequence[Answer], freeze: Freeze | None = None
) -> Decision:
    """PASS only when every expected scenario, one at least, has an answer, all are PASS, and no budget forbids it."""
    done = Counter(answer.scenario for answer in answers)
    # Two files may name the same scenario: each must have its own answer.
    missing = tuple((Counter(expected) - done).elements())
    unproved = [State.UNKNOWN] if missing or not expected else []
    frozen = [freeze.state] if freeze and freeze.stops else []
    return Decision(
        gate=gate,
        subject=subject,
        state=worst([*(answer.state for answer in answers), *unproved, *frozen]),
        expected=tuple(expected),
        missing=missing,
        answers=tuple(answers),
        freeze=freeze,
    )


def freeze_text(freeze: Freeze | None) -> list[str]:
    """What error budgets say of changes now; nothing where all is well."""
    if freeze is None or freeze.state is State.PASS:
        return []
    head = "frozen" if freeze.state is State.FAIL else "whether it is frozen cannot be read"
    despite = [f"passed over: {freeze.despite}"] if freeze.despite else []
    return [*(f"{head}: {reason}" for reason in freeze.reasons), *despite]


def attempts_text(decision: Decision) -> list[str]:
    """Per scenario, which attempt this was and what became of the others."""
    if not decision.answers:
        return []
    if decision.attempts == "unknown":
        return ["attempts: unknown (no subject: outside a Git checkout name one with --subject)"]
    return [_attempt(one) for one in decision.answers if isinstance(one, Standing)]


def _attempt(one: Standing) -> str:
    before = f", the others: {', '.join(one.earlier)}" if one.earlier else ""
    own = f", this one: {one.own}" if one.own is not one.state else ""
    said = f"; {one.sentence}" if one.sentence else ""
    return f"{one.scenario}: attempt {one.attempt}{own}{before}{said}"
