"""What a run will cost and what it can prove, said before it starts; nothing is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.model.scenario import Forecast, Phase, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPhase:
    """A phase with the requests that are due in it and the roles its experiment may strike."""

    phase: Phase
    requests: int
    experiment: str = ""
    strikes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole of it; `forecasts` in the order of the expectations."""

    scenario: str
    title: str
    seconds: float
    requests: int
    phases: tuple[PlannedPhase, ...]
    forecasts: tuple[Forecast, ...]

    @property
    def hopeless(self) -> tuple[Forecast, ...]:
        """Expectations that could not pass even if nothing at all went wrong."""
        return tuple(one for one in self.forecasts if not one.can_pass)


def make_plan(scenario: Scenario, arrivals: Sequence[float]) -> Plan:
    """The plan for requests due at these seconds."""
    return Plan(
        scenario=scenario.name,
        title=scenario.title,
        seconds=scenario.length,
        requests=len(arrivals),
        phases=tuple(_planned(phase, scenario, arrivals) for phase in scenario.phases),
        forecasts=tuple(one.forecast(scenario, arrivals) for one in scenario.expect),
    )


def _planned(phase: Phase, scenario: Scenario, arrivals: Sequence[float]) -> PlannedPhase:
    experiment = scenario.experiments[phase.chaos] if phase.chaos else None
    return PlannedPhase(
        phase=phase,
        requests=sum(1 for due in arrivals if phase.start <= due < phase.end),
        experiment=experiment.title if experiment else "",
        strikes=experiment.roles if experiment else (),
    )
