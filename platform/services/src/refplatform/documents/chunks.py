"""A text cut into overlapping pieces between words, none longer than the embedding model is to be given."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES_PER_TOKEN: Final = 4
"""Of UTF-8: the rule of thumb for English, and the engine's own count."""
SIZE: Final = 200
"""Tokens of a piece at most."""
OVERLAP: Final = 40
"""Tokens of a piece at most that the one before has as well, so that a thought cut in two is whole in one of them."""

_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters of a text from `start` to before `stop`."""

    start: int
    stop: int


def count_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def split(text: str, *, size: int = SIZE, overlap: int = OVERLAP) -> tuple[Span, ...]:
    """Spans of at most `size` tokens that together hold every word; neighbours share at most `overlap` tokens.

    Every span begins and ends with a word, or a part of one that is too long itself. None for a text without words.
    """
    words = list(_words(text, size))
    return tuple(Span(words[first].start, words[last].stop) for first, last in _groups(text, words, size, overlap))


def _words(text: str, longest: int) -> Iterator[Span]:
    """Words, those longer than `longest` characters in parts: no character has more bytes than a token."""
    for found in _WORD.finditer(text):
        for start in range(found.start(), found.end(), longest):
            yield Span(start, min(start + longest, found.end()))


def _groups(text: str, words: list[Span], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """First and last word of each piece."""
    starts, stops = _in_bytes(text, words)
    most, shared = size * BYTES_PER_TOKEN, overlap * BYTES_PER_TOKEN
    first, count = 0, len(words)
    while first < count:
        after = bisect_right(stops, starts[first] + most)
        yield first, after - 1
        if after == count:
            return
        # The word after this piece has to fit into the next one, or that would hold nothing new.
        first = max(first + 1, bisect_left(starts, max(stops[after - 1] - shared, stops[after] - most)))


def _in_bytes(text: str, words: list[Span]) -> tuple[list[int], list[int]]:
    """Where each word starts and stops when the text is UTF-8."""
    if text.isascii():
        return [word.start for word in words], [word.stop for word in words]
    places = [0, *(place for word in words for place in (word.start, word.stop))]
    sizes = (len(text[before:after].encode()) for before, after in pairwise(places))
    offsets = list(accumulate(sizes))
    return offsets[::2], offsets[1::2]
