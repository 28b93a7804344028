"""A scenario: load, phases on one timeline, faults in some of them, and what must hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.errors import Location
    from holdfast.model.load import LoadProfile
    from holdfast.model.slo import Slo
    from holdfast.model.timeline import Timeline
    from holdfast.model.verdict import Verdict

SLIP: Final = 0.5
"""Seconds by which a phase's edge may miss its time: a few ticks of a busy machine, and short beside any phase."""

SHORTEST: Final = 10.0
"""Seconds that a phase lasts at least before it may end early.

Clients' and Prometheus' counts of a phase may differ by what ended within 1.5 scrapes of its two edges and by two
scrapes' share of the whole: eight seconds' worth at one scrape a second. In a shorter phase the second witness would
agree with anything.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A window on the timeline, `start` and `end` in seconds from run start; `chaos` names an experiment."""

    name: str
    start: float
    end: float
    judged: bool = True
    chaos: str | None = None
    planned: float | None = None
    """Seconds that the scenario gives it, in a phase that was played and may be shorter; None in the plan itself."""

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start

    @property
    def longest(self) -> float:
        """Seconds that the scenario gives it."""
        return self.length if self.planned is None else self.planned

    @property
    def may_end_early(self) -> bool:
        """Only what is judged can be settled; a warmup's length is a choice, and a fault's needs all of its time."""
        return self.judged and self.chaos is None

    @property
    def shortest(self) -> float:
        """Seconds that it lasts at least, however it goes."""
        return min(SHORTEST, self.longest) if self.may_end_early else self.longest


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run of this length can prove, said before it: events expected, needed, and the chance of a PASS.

    `chances` maps an assumed true bad-event ratio to the probability of PASS, `power` a multiple of `limit`, the
    largest ratio allowed. `needs` 0 means that no proof by numbers is involved. `during` names the phases whose
    requests count; they last `seconds`, and would have to last `needs_seconds` at the rate offered in them.
    """

    expectation: str
    expects: float
    needs: int = 0
    most_bad: int = 0
    chances: Mapping[float, float] = field(default_factory=dict)
    note: str = ""
    limit: float | None = None
    during: tuple[str, ...] = ()
    seconds: float = 0.0
    needs_seconds: float | None = None
    power: Mapping[float, float] = field(default_factory=dict)

    @property
    def can_pass(self) -> bool:
        """Whether a run without a single bad event would end in PASS; one without any event proves nothing."""
        return self.expects >= max(1, self.needs)


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

    @property
    def queries(self) -> tuple[tuple[str, str], ...]:
        """PromQL expressions, each with the phase over which its answer must be recorded; most kinds need none."""
        return ()

    @abstractmethod
    def judge(self, timeline: Timeline) -> Verdict:
        """The answer from the record alone; pure."""

    def settled(self, timeline: Timeline) -> bool:  # noqa: ARG002 - for kinds to use
        """Whether the run so far decides it, by a rule that may be asked at any time; pure."""
        return True

    def forecast(self, scenario: Scenario, arrivals: Sequence[float]) -> Forecast:  # noqa: ARG002 - for kinds to use
        """What the plan says of it; `arrivals` are the due times of the run's requests in seconds."""
        return Forecast(expectation=self.id, expects=len(arrivals), note="exact, decided by what is seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A Chaos Toolkit document, kept as read; `roles` are the roles it names, for the plan.

    `driver` names the kind of platform that it can be played on.
    """

    name: str
    title: str
    document: Mapping[str, object]
    roles: tuple[str, ...]
    where: Location
    driver: str = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """When a run is to be broken off for the sake of who uses the platform; no judgement, and never one's reason.

    `burn` is how many times faster than the objective allows the budget may be spent, over the last `over` seconds.
    """

    slo: Slo
    burn: float
    over: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """How often a scenario is played for one answer; with a claim, the chance of a failed trial is what is judged."""

    times: int = 1
    fails_at_most: float | None = None
    """The claim: the largest chance that a trial fails, as a share of one."""

    @property
    def is_series(self) -> bool:
        """Whether the answer is one of several trials, or of a claim about them."""
        return self.times > 1 or self.fails_at_most is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Which play of a series a run is: `number` counts from 1."""

    series: str
    number: int
    times: int

    def __str__(self) -> str:
        """3/10."""
        return f"{self.number}/{self.times}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything needed to run and to judge; nothing in it is looked up again later."""

    name: str
    title: str
    labels: Mapping[str, str] = field(default_factory=dict)
    seed: int
    alpha: float = 0.05
    """Chance of error allowed to each side of each verdict: 1 - confidence."""
    stop: Literal["end", "early"] = "end"
    """`early`: a phase ends as soon as everything asked of it is settled."""
    repeat: Repeat = Repeat()
    halts: tuple[Halt, ...] = ()
    crew: Mapping[str, str] = field(default_factory=dict)
    """On a game day: a role -> what whoever has it does."""
    load: LoadProfile
    phases: tuple[Phase, ...]
    expect: tuple[Expectation, ...]
    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Every file this scenario was made from: path relative to the project -> text as read."""
    where: Location

    @property
    def drivers(self) -> tuple[str, ...]:
        """The kinds of platform that its experiments ask for, each once."""
        return tuple(dict.fromkeys(one.driver for one in self.experiments.values()))

    @property
    def length(self) -> float:
        """Seconds from the first phase's start to the last one's end."""
        return self.phases[-1].end if self.phases else 0.0

    def in_trial(self, number: int) -> Scenario:
        """What a trial of a series plays: with a seed of its own, so that arrivals, prompts and targets differ."""
        return replace(self, seed=self.seed + number)

    def phase(self, name: str) -> Phase:
        """The phase of that name. Raises KeyError."""
        return next(phase for phase in self.phases if phase.name == name)

    def ending(self, name: str, end: float) -> Scenario:
        """The scenario when a phase ends at second `end`: the phases after it follow at once, as long as planned."""
        phases: list[Phase] = []
        for phase in self.phases:
            start = phases[-1].end if phases else phase.start
            over = end if phase.name == name else start + phase.length
            phases.append(replace(phase, start=start, end=over, planned=phase.longest))
        return replace(self, phases=tuple(phases))

    def as_played(self, edges: Sequence[tuple[float, float]]) -> Scenario:
        """The scenario with the times that its phases really had: `edges` are (start, end) of each, in order.

        A phase lasts from the end of the one before, so that every moment lies in exactly one. Where the edges make no
        sense the scenario is returned as it is: one is missing, out of order or no number, or a phase is longer than
        planned, or shorter than it may be. A late start makes sense, and is for `trust` to complain of.
        """
        phases: list[Phase] = []
        for phase, (start, end) in zip(self.phases, edges, strict=False):
            before = phases[-1].end if phases else 0.0
            played = replace(phase, start=before, end=end, planned=phase.longest)
            if not (before <= start < end and _plausible(played)):
                return self
            phases.append(played)
        return replace(self, phases=tuple(phases)) if len(phases) == len(edges) == len(self.phases) else self

    def slos(self) -> tuple[Slo, ...]:
        """Every SLO that an expectation names, once, in order."""
        named = [one.slo for one in self.expect if one.slo]
        return tuple({slo.id: slo for slo in named}.values())


def _plausible(played: Phase) -> bool:
    return played.shortest - SLIP <= played.length <= played.longest + SLIP
