"""What is asked: prompts of a wanted length whose first words no other prompt shares, so that no cache can answer."""

from __future__ import annotations

import json
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holdfast.model.load import Arrival

WORDS_PER_TOKEN: Final = 0.75
_CORPUS_WORDS: Final = 4096
_VOCABULARY: Final = (
    "the a of and to in is it that was for on are with as at be this have from or had by not but what some we can out "
    "other were all there when up use your how said each she which their time if will way about many then them write "
    "would like so these her long make thing see him two has look more day could go come did number sound no most "
    "people over know water than call first who may down side been now find any new work part take get place made live "
    "where after back little only round man year came show every good me give our under name very through just form "
    "sentence great think say help low line differ turn cause much mean before move right boy old too same tell"
)


class Prompts:
    """Prompts of one seed; each is a slice of one text, because joining thousands of words would hold up the loop."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        words = Random(f"{seed}/words").choices(_VOCABULARY.split(), k=_CORPUS_WORDS)
        self._text = " ".join(words) + " "
        self._starts = [0, *accumulate(len(word) + 1 for word in words)]

    def text(self, number: int, tokens: int) -> str:
        """The prompt of request `number`: about `tokens` tokens at 0.75 words a token, its first word its own."""
        wanted = max(1, round(tokens * WORDS_PER_TOKEN)) - 1
        rounds, rest = divmod(wanted, _CORPUS_WORDS)
        start = number * 7919 % (_CORPUS_WORDS - rest)
        return (
            f"{self._seed}-{number} "
            + self._text * rounds
            + self._text[self._starts[start] : self._starts[start + rest]]
        )


def chat_body(prompt: str, arrival: Arrival, model: str) -> bytes:
    """The body of POST /v1/chat/completions: streamed, with usage at the end."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": arrival.answer_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return json.dumps(body, separators=(",", ":")).encode()
