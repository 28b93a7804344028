"""What a fault is: a class with parameters, what is seen of it, and one verb: shape an answer, or bend the engine."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.state import Moment, State
    from refplatform.engine.wire.ask import Answer
    from refplatform.engine.wire.events import Event


class Strike(Protocol):
    """One answer that was picked."""

    @property
    def answer(self) -> Answer:
        """What is being answered."""

    @property
    def going(self) -> bool:
        """Whether the fault still lasts."""

    def hit(self, did: str, *, token: int) -> None:
        """Write down what was done, after so many tokens; only the first time counts."""

    async def hold(self, seconds: float) -> None:
        """Wait so long, or until the fault ends."""


class Fault(BaseModel):
    """One way to be broken. Its fields are its parameters; values out of their limits are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    client: ClassVar[str]
    """What a client sees."""
    metrics: ClassVar[str]
    """What /metrics and /gpu/metrics show."""
    end: ClassVar[str]
    """How it ends."""


class AnswerFault(Fault):
    """Touches the answers that it picks."""

    @abstractmethod
    def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """The events that are sent instead."""


class EngineFault(Fault):
    """Touches the engine as a whole."""

    @abstractmethod
    def bend(self, state: State, moment: Moment) -> None:
        """Add what this fault does at this moment."""


class LoadFault(EngineFault):
    """Touches the next load: a wake-up, or the next start, which is told by a file."""

    @model_validator(mode="after")
    def _has_a_file(self, info: ValidationInfo) -> LoadFault:
        if not _known(info).get("next_load", True):
            raise ValueError("this engine was started without --fault-state, so its next start cannot be told")
        return self


def parameter(default: Any, about: str, *, unit: str, least: float | None = None, most: float | None = None) -> Any:
    """A field of a fault: what it means, in which unit, from `least` to `most`."""
    return Field(default, description=about, ge=least, le=most, json_schema_extra={"unit": unit})


def _known(info: ValidationInfo) -> dict[str, Any]:
    return info.context or {}


def _there(place: int, info: ValidationInfo) -> int:
    count = _known(info).get("gpus", place + 1)
    if not 0 <= place < count:
        raise ValueError(f"the engine has {count} of them, counted from 0")
    return place


Gpu = Annotated[int, AfterValidator(_there)]
"""The place of a device among those of the engine, which is its tensor-parallel rank too."""
