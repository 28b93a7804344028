"""Rates over time in multiples of the profile's rate, one file each, found by the file's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.arrivals import words
from holdfast.arrivals.words import WordError

if TYPE_CHECKING:
    from holdfast.arrivals.curve import Curve


def names() -> tuple[str, ...]:
    """Every known shape, sorted."""
    return words.names(__path__)


def read(text: str) -> Curve:
    """The curve of "flat" or "spike to=5 at=30s for=10s". Raises WordError."""
    name, *rest = text.split() or [""]
    module: Any = words.find(__name__, __path__, name, "shape", "shapes")
    curve: Curve = module.read(rest) if hasattr(module, "read") else words.filled(module.Shape, rest).curve()
    if curve.when(0.0) == float("inf"):
        raise WordError("the rate is zero at all times: it would offer nothing")
    return curve
