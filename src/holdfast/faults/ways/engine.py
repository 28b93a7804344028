"""Faults that an engine has when its door asks it to: what their parts have in common, and where their effect shows.

The engine ends them by itself when their lease is over, so a harness that dies leaves none behind.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from pydantic import Field

from holdfast.errors import InfrastructureError, TargetError
from holdfast.faults.base import Fault, Options
from holdfast.faults.ways import asking, door, samples, toxics
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight
from holdfast.model.hands import Doors, Links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.faults.ways.asking import Heard
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver, Identity

ALL: Final = 100.0
WELL: Final = 4
"""Tokens of the answer by which an engine is seen to be well."""
_MADE: Final = "vllm:generation_tokens_total"
_DEAD: Final = 500
_DEVICE: Final = re.compile(r'\bgpu="(\d+)"')
PATIENCE: Final = 2.0
"""Seconds of silence that are borne from an engine that should be well."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine as its clients and its scraper see it."""

    url: str

    def chat(self, *, tokens: int = WELL, wait: float = PATIENCE, prompt: str = "hold fast") -> Heard:
        """One answer, streamed."""
        return asking.chat(self.url, tokens=tokens, wait=wait, prompt=prompt)

    def health(self, wait: float = PATIENCE) -> int | None:
        """Status of /health; None when nothing came in time. Raises OSError when nobody listens."""
        try:
            return asking.get(self.url, "/health", wait)[0]
        except TimeoutError:
            return None

    def metric(self, name: str) -> float:
        """Sum of a metric's series; NaN without one. Raises OSError."""
        return samples.total(asking.get(self.url, "/metrics", PATIENCE)[1], name)

    def gpu(self, name: str, place: int) -> float:
        """What the engine's device of that place, from 0, shows; NaN when it shows no such series. Raises OSError."""
        page = asking.get(self.url, "/gpu/metrics", PATIENCE)[1]
        # A device's number counts those of the host, of which an engine has some.
        numbers = sorted(map(int, set(_DEVICE.findall(page))))
        return samples.total(page, name, f'gpu="{numbers[place]}"') if place < len(numbers) else math.nan


class Way(Protocol):
    """By which a fault comes to an engine's answers; modules beside this one are such ways."""

    def begin(
        self, driver: Driver, strike: Strike, fault: str, parameters: Mapping[str, Any], pick: Mapping[str, Any]
    ) -> None:
        """Have it, for the strike's lease. Raises TargetError with what stands against it."""

    def renew(self, driver: Driver, strike: Strike) -> None:
        """For another lease; one that is over stays over."""

    def end(self, driver: Driver, strike: Strike) -> None:
        """Have it no more; where nobody is, nothing is."""

    def told(self, driver: Driver, strike: Strike) -> dict[str, Any]:
        """What is counted there; empty without it. Raises OSError or InfrastructureError when nobody can be asked."""

    def api(self, driver: Driver, target: Identity) -> str:
        """Base URL by which its effect shows."""


class EngineFault(Fault):
    """Begun at the door under the strike's id. Its effect is looked for at the engine while the door says it is on."""

    family: ClassVar = "engine"
    door: ClassVar[str]
    """What the door calls it."""
    bites_within: ClassVar[float] = 10.0

    def reach(self, driver: Driver, strike: Strike) -> None:
        """This target has a door, or another way."""
        self.way(driver, strike.target)

    def way(self, driver: Driver, target: Identity) -> Way:
        """By which this fault comes to that engine. Raises TargetError when there is none."""
        driver.hand(Doors).door(target)
        return door

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Ask the door for it."""
        options = self.read(strike.options)
        way = self.way(driver, strike.target)
        way.begin(driver, strike, self.door, self.parameters(options), self.pick(options))

    def renew(self, driver: Driver, strike: Strike) -> None:
        """Another lease."""
        self.way(driver, strike.target).renew(driver, strike)

    def undo(self, driver: Driver, strike: Strike) -> None:
        """End it where it was begun."""
        self.way(driver, strike.target).end(driver, strike)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """The door has it, and the engine shows it."""
        way = self.way(driver, strike.target)
        try:
            told = way.told(driver, strike)
            if not told.get("active"):
                return Sight(False, f"{strike.target.name} has no such fault")
            return self.effect(Engine(way.api(driver, strike.target)), self.read(strike.options), told)
        except (OSError, InfrastructureError) as error:
            return Sight(False, f"{strike.target.name} could not be asked: {error}")

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """The door has it no longer, and the engine is ready and answers whole."""
        ready = ready_again(driver, strike.target)
        if not ready.seen:
            return ready
        way = self.way(driver, strike.target)
        try:
            if way.told(driver, strike).get("active"):
                return Sight(False, f"{strike.target.name} still has it")
            return self.well(Engine(way.api(driver, strike.target)), self.read(strike.options))
        except (OSError, InfrastructureError) as error:
            return Sight(False, f"{strike.target.name} could not be asked: {error}")

    @abstractmethod
    def effect(self, engine: Engine, options: Any, told: dict[str, Any]) -> Sight:
        """Whether the engine is seen to be broken in this way; `told` is what the door counts. Raises OSError."""

    def well(self, engine: Engine, options: Any) -> Sight:  # noqa: ARG002 - some faults show elsewhere too
        """Whether it is seen to be well again. Raises OSError."""
        heard = engine.chat()
        return Sight(heard.whole, f"an answer has {heard}")

    def parameters(self, options: Any) -> dict[str, Any]:
        """What the door is told of the fault."""
        kept = options.model_dump(exclude=set(Picked.model_fields))
        return {name: value for name, value in kept.items() if value is not None}

    def pick(self, options: Any) -> dict[str, Any]:  # noqa: ARG002 - a fault of the whole engine picks nothing
        """Which answers the door is told to touch."""
        return {}


class Picked(Options):
    """Which answers are touched; by all of these at once."""

    percent: float = Field(ALL, gt=0, le=100, description="of the requests that match (%)")
    model: str | None = Field(None, description="name of the model or adapter; none: any")
    tenant: str | None = Field(None, description="as the gateway's header x-tenant says; none: any")
    after: int = Field(0, ge=0, le=10**9, description="let the first so many requests that match pass")
    first: int | None = Field(None, ge=1, le=10**9, description="touch only the first so many after those; none: all")
    seed: int = Field(0, description="decides the chance")

    @property
    def everybody(self) -> bool:
        """Whether a request of our own would be touched for certain, and take nobody's place."""
        return (self.percent, self.model, self.tenant, self.after, self.first) == (ALL, None, None, 0, None)


class AnswerFault(EngineFault):
    """Touches the answers that are picked.

    A request of our own shows it. Where that may not be picked, the count of those that the engine has struck does.
    """

    family: ClassVar = "answer"
    Options: ClassVar[type[Options]] = Picked

    def way(self, driver: Driver, target: Identity) -> Way:
        """Its own door where it has one, else the fault proxy before it."""
        try:
            return super().way(driver, target)
        except TargetError:
            driver.hand(Links).link(target)
            return toxics

    def pick(self, options: Picked) -> dict[str, Any]:
        """As the options say."""
        kept = options.model_dump(include=set(Picked.model_fields))
        return {name: value for name, value in kept.items() if value is not None}

    def effect(self, engine: Engine, options: Any, told: dict[str, Any]) -> Sight:
        """An answer of our own is broken in this way, or somebody's was."""
        if not options.everybody:
            struck, matched = int(told.get("struck", 0)), told.get("matched", 0)
            return Sight(struck > 0, f"{struck} of {matched} requests were struck")
        heard = self.provoke(engine, options)
        return Sight(self.shows(heard, options), f"an answer has {heard}")

    def provoke(self, engine: Engine, options: Any) -> Heard:  # noqa: ARG002 - some need a longer answer
        """The request that is to be struck."""
        return engine.chat()

    @abstractmethod
    def shows(self, heard: Heard, options: Any) -> bool:
        """Whether this answer is broken in just this way."""


def no_step(engine: Engine) -> Sight:
    """Whether the core makes no token for anybody: ours waits and the count stands, or the API has found it dead."""
    made = engine.metric(_MADE)
    heard = engine.chat(wait=1.5)
    if heard.status == _DEAD:
        return Sight("EngineDeadError" in heard.error, f"an answer has {heard}")
    more = engine.metric(_MADE) - made
    halted = heard.end == "silent" and not heard.tokens and more == 0
    return Sight(halted, f"{more:g} tokens were made meanwhile; an answer has {heard}")
