"""Text to token ids and back without a table: a token is up to four bytes of UTF-8, an English token's usual length.

The id of four bytes is their value; shorter pieces, which only end a text, have the ids after those. So every id below
VOCABULARY stands for exactly one piece, and decoding what was encoded gives the text again.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from itertools import accumulate
from struct import unpack
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BYTES_PER_TOKEN: Final = 4
BLOCK_TOKENS: Final = 16
"""Tokens of a block of the KV cache; vLLM's default."""

_FIRST: Final = (0, 2**32 + 2**24 + 2**16, 2**32 + 2**24, 2**32, 0)
"""Number of bytes -> id of the first piece of that length."""

VOCABULARY: Final = 2**32 + 2**24 + 2**16 + 2**8
"""Ids are 0 to this, exclusive; below 2^53, so that every JSON reader keeps them."""

_DIGEST_BYTES: Final = 12


def encode(text: str) -> list[int]:
    """The token ids of a text; none for an empty one."""
    data = _bytes(text)
    whole = len(data) // BYTES_PER_TOKEN
    end = data[whole * BYTES_PER_TOKEN :]
    ids = list(unpack(f">{whole}I", data[: whole * BYTES_PER_TOKEN]))
    return [*ids, _FIRST[len(end)] + int.from_bytes(end)] if end else ids


def decode(ids: Iterable[int]) -> str:
    """The text of token ids; bytes that are no UTF-8 become replacement characters. Raises ValueError."""
    return b"".join(map(piece, ids)).decode("utf-8", "replace")


def piece(identity: int) -> bytes:
    """The bytes that one id stands for. Raises ValueError for an id outside the vocabulary."""
    if not 0 <= identity < VOCABULARY:
        raise ValueError(f"token id {identity} is out of vocabulary")
    length = next(length for length in (1, 2, 3, 4) if identity >= _FIRST[length])
    return (identity - _FIRST[length]).to_bytes(length)


def count(text: str) -> int:
    """How many ids `encode` gives."""
    return -(-len(_bytes(text)) // BYTES_PER_TOKEN)


def hashes_of(ids: Sequence[int], salt: bytes) -> tuple[bytes, ...]:
    """A name for each full block of tokens and all before it; `salt` keeps apart who may not share."""
    size = BLOCK_TOKENS * array("Q").itemsize
    data = array("Q", ids).tobytes()
    blocks = (data[end - size : end] for end in range(size, len(data) + 1, size))
    first = blake2b(salt, digest_size=_DIGEST_BYTES).digest()
    chain = accumulate(blocks, _chained, initial=first)
    return tuple(chain)[1:]


def _chained(parent: bytes, block: bytes) -> bytes:
    return blake2b(parent + block, digest_size=_DIGEST_BYTES).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
