"""What one answer says, decided before its first token: which tokens, what each of them shows, and why it ends.

A text that is given (JSON, the arguments of a tool, an answer known by heart) ends when it is said. Words end where the
client's limit is, as if nothing but the limit could end them; without a limit they end by themselves.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from refplatform.engine.answers import answer_tokens, natural_length
from refplatform.engine.tokens import BYTES_PER_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of an answer; all lengths in tokens.

    `source` decides the words. `room` is what the context leaves, `most` the client's limit. `given` is said instead of
    words, and `then_words` says words after it, up to the limit.
    """

    source: str
    room: int
    most: int | None = None
    least: int = 0
    endless: bool = False
    stops: tuple[str, ...] = ()
    keep_stop: bool = False
    given: str | None = None
    then_words: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The tokens of an answer, the text that each adds when it is streamed, and vLLM's two reasons."""

    tokens: tuple[str, ...]
    pieces: tuple[str, ...]
    finish_reason: str
    stop_reason: str | None = None

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)


def say(wish: Wish, *, seed: int) -> Said:
    """The answer to a wish: the same for the same seed."""
    tokens, reason = _tokens(wish, seed)
    if wish.stops and (found := _first_stop(wish, tokens)):
        return _stopped(wish, tokens, *found)
    return Said(tokens=tokens, pieces=tokens, finish_reason=reason)


def split(text: str) -> tuple[str, ...]:
    """A text in tokens; what a token cannot show, because a character goes on, the next one shows."""
    if text.isascii():
        return tuple(text[start : start + BYTES_PER_TOKEN] for start in range(0, len(text), BYTES_PER_TOKEN))
    data = text.encode("utf-8", "surrogatepass")
    show = codecs.getincrementaldecoder("utf-8")("replace").decode
    ends = range(BYTES_PER_TOKEN, len(data) + BYTES_PER_TOKEN, BYTES_PER_TOKEN)
    return tuple(show(data[end - BYTES_PER_TOKEN : end], final=end >= len(data)) for end in ends)


def _tokens(wish: Wish, seed: int) -> tuple[tuple[str, ...], str]:
    most = wish.room if wish.most is None else min(wish.most, wish.room)
    if wish.given is not None:
        given = split(wish.given)
        if wish.then_words and wish.most is not None and len(given) < most:
            given += tuple(answer_tokens(seed, wish.source, most - len(given)))
        ended = len(given) <= most and not wish.then_words
        return given[:most], "stop" if ended else "length"
    if wish.most is not None or wish.endless:
        return tuple(answer_tokens(seed, wish.source, most)), "length"
    natural = max(wish.least, natural_length(seed, wish.source))
    return tuple(answer_tokens(seed, wish.source, min(natural, most))), "stop" if natural <= most else "length"


def _first_stop(wish: Wish, tokens: tuple[str, ...]) -> tuple[int, str] | None:
    """Where the stop string begins that is complete first, and which it is; none before `least` tokens."""
    text, silent = "".join(tokens), sum(map(len, tokens[: wish.least]))
    begins = ((text.find(stop, max(0, silent - len(stop) + 1)), stop) for stop in wish.stops)
    return min((one for one in begins if one[0] >= 0), key=lambda one: one[0] + len(one[1]), default=None)


def _stopped(wish: Wish, tokens: tuple[str, ...], begin: int, stop: str) -> Said:
    """Cut at the stop string. What may yet turn out to be the beginning of one is held back, as vLLM does."""
    end = begin + len(stop)
    cut, held = (end, 0) if wish.keep_stop else (begin, max(map(len, wish.stops)) - 1)
    text, ends = "".join(tokens), list(accumulate(map(len, tokens)))
    count = 1 + next(index for index, reached in enumerate(ends) if reached >= end)
    shown = [*(min(cut, max(0, reached - held)) for reached in ends[: count - 1]), cut]
    return Said(tokens=tokens[:count], pieces=tuple(_cuts(text, shown)), finish_reason="stop", stop_reason=stop)


def _cuts(text: str, ends: Iterable[int]) -> Iterator[str]:
    return (text[begin:end] for begin, end in pairwise([0, *ends]))
