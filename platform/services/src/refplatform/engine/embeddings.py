"""Vectors instead of an embedding model: texts that share words are near, the same text is always the same vector.

Feature hashing: each word, weighed by how often it comes and how much it can say, is added to a few places of the
vector that its hash chooses, with signs that its hash chooses; the sum is brought to length one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from typing import Final

DIMENSIONS: Final = 256
MOST_DIMENSIONS: Final = 4096
_PLACES: Final = 4
_WORD: Final = re.compile(r"\w+")
_SHORT: Final = 3
_SHORT_WEIGHT: Final = 0.25
"""Short words are mostly the glue of a language; a real model learns that, we know it."""


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A vector of length one."""
    vector = [0.0] * dimensions
    for word, times in Counter(_WORD.findall(text.casefold()) or [text]).items():
        weight = math.sqrt(times) * (_SHORT_WEIGHT if len(word) <= _SHORT else 1.0)
        for place in _places(word):
            vector[(place >> 1) % dimensions] += weight if place & 1 else -weight
    length = math.hypot(*vector)
    if length == 0:  # opposite signs met in one place, which takes few dimensions or much bad luck
        vector[0] = length = 1.0
    return [value / length for value in vector]


@lru_cache(maxsize=2**16)
def _places(word: str) -> tuple[int, ...]:
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4 * _PLACES).digest()
    return tuple(int.from_bytes(digest[start : start + 4]) for start in range(0, len(digest), 4))
