"""Who asks, and for what: names with weights, `gold:3, free:1`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

_MOST: Final = 1e9


@dataclass(frozen=True, slots=True)
class Mix:
    """Names, and the share of each, summed up."""

    names: tuple[str, ...]
    reach: tuple[float, ...]

    def pick(self, chance: float) -> str:
        """The name that a number in [0, 1) falls on."""
        return next(name for name, reach in zip(self.names, self.reach, strict=True) if chance < reach)


def read_mix(text: str) -> Mix:
    """The mix in "gold:3, free:1"; a name alone weighs one, and may have colons. Raises ValueError."""
    pairs = [_weighted(word.strip()) for word in text.split(",")]
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is named twice")
    total = math.fsum(weight for _, weight in pairs)
    shares = accumulate(weight / total for _, weight in pairs[:-1])
    return Mix(tuple(names), (*shares, 1.0))


def _weighted(word: str) -> tuple[str, float]:
    name, colon, weight = word.rpartition(":")
    try:
        value = float(weight) if colon else 1.0
    except ValueError:
        name, value = word, 1.0
    name = name if colon and name != word else word
    if not name or name.endswith(":") or not 0 < value <= _MOST:
        raise ValueError(f"expected names with weights above zero, such as gold:3, free:1, got {word!r}")
    return name, value
