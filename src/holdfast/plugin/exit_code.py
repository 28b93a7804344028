"""The exit code of a pytest session: pytest's own, raised by what was expected and what was judged; never lowered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.errors import ExitCode
from holdfast.model.verdict import State

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One expectation's answer as its test reported it; `run` and `folder` are of the whole scenario."""

    id: str
    scenario: str
    state: State
    run: State
    folder: str

    def as_properties(self) -> list[tuple[str, str]]:
        """As pytest carries them between processes and into JUnit files."""
        return [(f"holdfast_{name}", str(getattr(self, name))) for name in ("id", "scenario", "state", "run", "folder")]


def from_properties(properties: Mapping[str, object]) -> Judged | None:
    """What `as_properties` wrote, or None."""
    found = {
        name.removeprefix("holdfast_"): str(value) for name, value in properties.items() if name.startswith("holdfast_")
    }
    if not {"id", "scenario", "state", "run", "folder"} <= found.keys():
        return None
    return Judged(
        id=found["id"],
        scenario=found["scenario"],
        state=State(found["state"]),
        run=State(found["run"]),
        folder=found["folder"],
    )


@dataclass(slots=True)
class Tally:
    """What a session was to prove, and what it did."""

    expected: dict[str, list[str]] = field(default_factory=dict)
    """Scenario file -> ids of its expectations, as collected, before anything was deselected."""
    judged: list[Judged] = field(default_factory=list)
    foreign: int = 0
    """Failures that are no verdict: other tests, fixtures, crashes, collection."""
    broken: bool = False
    """A run ended with a fault that may still be there, whether or not a test could say so."""
    despite: list[str] = field(default_factory=list)
    """What error budgets said against it, and why that was passed over."""

    def missing(self) -> list[str]:
        """Ids of expectations that were collected and never judged."""
        done = {one.id for one in self.judged}
        return [name for names in self.expected.values() for name in names if name not in done]

    def gaps(self, *, partial: bool) -> list[str]:
        """Every reason why this session proves too little, in words."""
        missing = self.missing()
        hidden = [f"{one.id} is {one.state}" for one in self.judged if one.state is not State.PASS]
        nothing = [] if self.judged else ["no expectation was judged"]
        return [*nothing, *hidden, *([] if partial else [f"{name} was not run" for name in missing])]

    def not_restored(self) -> bool:
        """Whether a fault may still be there."""
        return self.broken or any(State.NOT_RESTORED in (one.state, one.run) for one in self.judged)

    def exit_code(self, given: int, *, partial: bool) -> int:
        """Pytest's code, raised: 0 needs proof, 1 that is only UNKNOWN is 10, and nothing hides a fault left behind."""
        if self.not_restored():
            return ExitCode.NOT_RESTORED
        if given == ExitCode.PASS and self.gaps(partial=partial):
            return ExitCode.UNKNOWN
        states = {one.state for one in self.judged}
        if given == ExitCode.FAIL and not self.foreign and State.UNKNOWN in states and State.FAIL not in states:
            return ExitCode.UNKNOWN
        return given
