"""How likely each token was, and which others were nearly as likely: made up, always the same for the same token."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from refplatform.engine.answers import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Ranked = list[tuple[str, float]]


def ranked(token: str, index: int, alternatives: int) -> Ranked:
    """The token that was said, first and likeliest, and beside it so many words; their logarithms of probability."""
    digest = blake2b(f"{index}\0{token}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    share = 0.5 + digest[0] / 512  # from a half to nearly one
    found, rest, begin = [(token, math.log(share))], 1.0 - share, digest[1]
    others = (WORDS[(begin + step) % len(WORDS)] for step in range(len(WORDS)))
    for word in (word for word in others if word != token):
        if len(found) > alternatives:
            break
        rest /= 2
        found.append((word, math.log(rest)))
    return found


def chat_logprobs(tokens: Sequence[str], begin: int, alternatives: int) -> dict[str, Any]:
    """Chat's shape, for tokens of which the first is number `begin` of its answer."""
    content = []
    for index, token in enumerate(tokens, begin):
        found = [_told(*one) for one in ranked(token, index, alternatives)]
        content.append({**found[0], "top_logprobs": found[:alternatives]})
    return {"content": content}


def text_logprobs(
    tokens: Sequence[str], begin: int, alternatives: int, *, offset: int, silent: int = 0
) -> dict[str, Any]:
    """The shape of text completions; `offset` is the first token's place in the text.

    The first of an echoed prompt has no probability, for nothing came before it: `silent` of them.
    """
    found = [
        None if place < silent else ranked(token, begin + place, alternatives) for place, token in enumerate(tokens)
    ]
    return {
        "text_offset": list(_offsets(tokens, offset)),
        "token_logprobs": [one[0][1] if one else None for one in found],
        "tokens": list(tokens),
        "top_logprobs": [dict(one) if one else None for one in found],
    }


def _told(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}


def _offsets(tokens: Iterable[str], offset: int) -> Iterable[int]:
    for token in tokens:
        yield offset
        offset += len(token)
