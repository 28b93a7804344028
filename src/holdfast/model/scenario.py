"""A scenario: load, phases on one timeline, faults in some of them, and what must hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.errors import Location
    from holdfast.model.load import LoadProfile
    from holdfast.model.slo import Slo
    from holdfast.model.timeline import Timeline
    from holdfast.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A window on the timeline, `start` and `end` in seconds from run start; `chaos` names an experiment."""

    name: str
    start: float
    end: float
    judged: bool = True
    chaos: str | None = None

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run of this length can prove, said before it: events expected, needed, and the chance of a PASS.

    `chances` maps an assumed true bad-event ratio to the probability of PASS. `needs` 0 means that no proof by
    numbers is involved.
    """

    expectation: str
    expects: float
    needs: int = 0
    most_bad: int = 0
    chances: Mapping[float, float] = field(default_factory=dict)
    note: str = ""

    @property
    def can_pass(self) -> bool:
        """Whether a run without a single bad event would end in PASS."""
        return self.expects >= self.needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation(ABC):
    """What must hold; `where` is its own line in the scenario file. Each kind is one file in `holdfast.expect`."""

    kind: ClassVar[str] = ""
    slo: Slo | None = None
    where: Location

    @property
    @abstractmethod
    def id(self) -> str:
        """Short, stable, readable: what reports, JUnit and pytest call it."""

    @property
    def bound(self) -> float | None:
        """The latency bound in seconds that the answer rests on, or None."""
        return self.slo.bound if self.slo else None

    @abstractmethod
    def judge(self, timeline: Timeline) -> Verdict:
        """The answer from the record alone; pure."""

    def forecast(self, scenario: Scenario, arrivals: Sequence[float]) -> Forecast:  # noqa: ARG002 - for kinds to use
        """What the plan says of it; `arrivals` are the due times of the run's requests in seconds."""
        return Forecast(expectation=self.id, expects=len(arrivals), note="exact, decided by what is seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A Chaos Toolkit document, kept as read; `roles` are the roles it names, for the plan."""

    name: str
    title: str
    document: Mapping[str, object]
    roles: tuple[str, ...]
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything needed to run and to judge; nothing in it is looked up again later."""

    name: str
    title: str
    labels: Mapping[str, str] = field(default_factory=dict)
    seed: int
    load: LoadProfile
    phases: tuple[Phase, ...]
    expect: tuple[Expectation, ...]
    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Every file this scenario was made from: path relative to the project -> text as read."""
    where: Location

    @property
    def length(self) -> float:
        """Seconds from the first phase's start to the last one's end."""
        return self.phases[-1].end if self.phases else 0.0

    def phase(self, name: str) -> Phase:
        """The phase of that name. Raises KeyError."""
        return next(phase for phase in self.phases if phase.name == name)

    def slos(self) -> tuple[Slo, ...]:
        """Every SLO that an expectation names, once, in order."""
        named = [one.slo for one in self.expect if one.slo]
        return tuple({slo.id: slo for slo in named}.values())
