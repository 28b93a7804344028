"""What the arguments of a strike, an act, a hold and of the ways back must look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from holdfast.faults.chaosk8s import Options
from holdfast.spec.shapes import Strict

if TYPE_CHECKING:
    from collections.abc import Mapping

_Word = Annotated[str, Field(min_length=1)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class StrikeShape(Strict):
    """Arguments of `strike`."""

    fault: _Word
    role: _Word
    count: Annotated[int, Field(ge=1)] | None = None
    percent: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    names: list[_Word] = Field(default_factory=list)
    options: dict[str, Any] = Field(default_factory=dict)
    within: _Seconds | None = None


class HoldShape(Strict):
    """Arguments of `hold`."""

    seconds: _Seconds


class RestoreShape(Strict):
    """Arguments of `restore`."""

    fault: _Word
    role: _Word
    within: _Seconds | None = None


class TakeBackShape(Strict):
    """Arguments of `take_back`."""

    action: _Word


SHAPES: Final[Mapping[str, type[Strict]]] = {
    "strike": StrikeShape,
    "hold": HoldShape,
    "restore": RestoreShape,
    "act": Options,
    "take_back": TakeBackShape,
}
