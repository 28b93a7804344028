"""Whether a probe of Chaos Toolkit says what it is to say: a value or a range, and nothing that merely looks like it.

The toolkit's own comparison takes 0 for False, 1 for True, and a probe that raised for one that failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from holdfast.errors import TargetError
from holdfast.model.fault import Sight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.hands import Cluster


class Asked(Protocol):
    """A probe with its tolerance."""

    @property
    def probe(self) -> str:
        """Its whole name."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it is given."""

    @property
    def tolerance(self) -> Any:
        """A value, or something with a `range` of two."""


def met(hand: Cluster, asked: Asked) -> Sight:
    """Whether it says so now; one that raised says no. Raises InfrastructureError when it cannot be asked."""
    name = asked.probe.rpartition(".")[2]
    try:
        value = hand.call(asked.probe, asked.arguments)
    except TargetError as error:
        return Sight(False, f"{name}: {error}")
    return Sight(within(asked.tolerance, value), f"{name} says {value!r:.80}")


def within(tolerance: Any, value: Any) -> bool:
    """Whether a value is the one, or lies in the range; NaN, None and another kind are not."""
    ends = getattr(tolerance, "range", None)
    if ends is not None:
        return _number(value) and ends[0] <= value <= ends[1]
    if _number(tolerance):
        return _number(value) and value == tolerance
    return type(value) is type(tolerance) and value == tolerance


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
