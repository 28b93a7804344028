"""Texts instead of a model: the same seed and prompt always give the same answer, each token four letters of it.

Every word is a space and three letters, and the first one four letters; so the text of an answer, tokenised again,
gives the answer's own tokens. Plain ASCII, without what JSON would escape.
"""

from __future__ import annotations

from hashlib import blake2b, shake_128
from typing import Final

OPENINGS: Final = ("Kelp", "Tide", "Rock", "Wave", "Foam", "Salt", "Sand", "Reef")
_TEXT: Final = (
    "sea bay fog ebb eel cod oar net tar jib rod ray cay sky sun dew ice air ash oak elm fir bee fox elk owl hen ram "
    "ewe cub den bog fen dam lee log mud gem ore tin zip hum arc orb sap bud fig pea rye oat hay ivy and the are was "
    "has can may not for its out low"
)
WORDS: Final = tuple(f" {word}" for word in _TEXT.split())

NATURAL_TOKENS: Final = (16, 256)
"""Shortest and longest answer that ends by itself, when the request sets no limit."""


def natural_length(seed: int, prompt: str) -> int:
    """Tokens of an answer that ends by itself."""
    shortest, longest = NATURAL_TOKENS
    digest = blake2b(_key(seed, "length", prompt), digest_size=8).digest()
    return shortest + int.from_bytes(digest) % (longest - shortest + 1)


def answer_tokens(seed: int, prompt: str, count: int) -> list[str]:
    """The first `count` tokens of the answer; a longer answer begins with the shorter one."""
    drawn = shake_128(_key(seed, "words", prompt)).digest(count)
    return [OPENINGS[drawn[0] % len(OPENINGS)], *(WORDS[byte % len(WORDS)] for byte in drawn[1:])]


def _key(seed: int, use: str, prompt: str) -> bytes:
    return f"{seed}\0{use}\0{prompt}".encode("utf-8", "surrogatepass")
