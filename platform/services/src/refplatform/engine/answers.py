"""Texts instead of a model: the same seed and prompt always give the same answer, one word a token."""

from __future__ import annotations

import random
from hashlib import blake2b
from typing import Final

_TEXT: Final = (
    "the a tide kelp rock storm holds under load and wave after breaks over stone while anchors root deep in cold "
    "current light falls through green water fish pass slowly between long blades that bend but never tear each day "
    "brings wind salt sand some drift others stay here where ground is firm enough to keep what sea would take"
)
WORDS: Final = tuple(_TEXT.split())
"""Plain ASCII without quotes or backslashes, so that a word needs no escaping inside JSON."""

CHARACTERS_PER_TOKEN: Final = 4
NATURAL_TOKENS: Final = (16, 256)
"""Shortest and longest answer that ends by itself, when the request sets no limit."""


def count_tokens(text: str) -> int:
    """Tokens of a prompt, at four characters a token (the usual rule of thumb for English), at least one."""
    return max(1, -(-len(text) // CHARACTERS_PER_TOKEN))


def natural_length(seed: int, prompt: str) -> int:
    """Tokens of an answer that ends by itself."""
    return _source(seed, prompt, "length").randint(*NATURAL_TOKENS)


def answer_tokens(seed: int, prompt: str, count: int) -> list[str]:
    """The first `count` tokens of the answer; a longer answer begins with the shorter one."""
    words = _source(seed, prompt, "words").choices(WORDS, k=count)
    return [words[0], *(f" {word}" for word in words[1:])]


def _source(seed: int, prompt: str, use: str) -> random.Random:
    digest = blake2b(f"{seed}\0{use}\0{prompt}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return random.Random(int.from_bytes(digest))
