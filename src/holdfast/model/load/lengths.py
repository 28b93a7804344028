"""How long prompts and answers are: lognormal around a median, or as measured elsewhere."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random


MOST_TOKENS: Final = 10_000_000
"""No prompt or answer is longer, whatever a distribution or a file says: no model could take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthPoint:
    """A quantile of measured lengths: a `share` of all prompts, and of all answers, is at most so many tokens long."""

    share: float
    prompt_tokens: int
    answer_tokens: int


def lognormal(median: int, spread: float, random: Random) -> Iterator[int]:
    """Lengths without end; `spread` is the sigma, and no length is below one or above MOST_TOKENS."""
    centre = math.log(median)
    while True:
        yield max(1, round(min(math.exp(random.normalvariate(centre, spread)), MOST_TOKENS)))


def empirical(points: Sequence[tuple[float, int]], random: Random) -> Iterator[int]:
    """Lengths without end, distributed as the (share, tokens) points say, from share 0 to 1."""
    while True:
        yield quantile(points, random.random())


def quantile(points: Sequence[tuple[float, int]], share: float) -> int:
    """Tokens at `share` of the distribution through the points, straight in log tokens between them; at least one."""
    right = min(bisect_right(points, share, key=lambda point: point[0]), len(points) - 1)
    (low, small), (high, large) = points[right - 1], points[right]
    grown: float = (large / small) ** ((share - low) / (high - low))
    return max(1, round(small * grown))
