"""What is asked: prompts of a wanted length that begin alike exactly as far as they are to share a cache."""

from __future__ import annotations

from itertools import accumulate, groupby
from operator import attrgetter
from random import Random
from typing import TYPE_CHECKING, Final
from zlib import crc32

from holdfast.store.pieces import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.model.load import Arrival, Part

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
Messages = list[dict[str, str]]
"""As the chat API takes them: role and content."""


def tokens_in(text: str) -> int:
    """About how many tokens a text has, at 0.75 words a token; at least one. The server's own count is what is kept."""
    return max(1, round(len(text.split()) / WORDS_PER_TOKEN))


class Prompts:
    """Prompts of one seed; each is cut from one text, because joining thousands of words would hold up the loop.

    `questions` are the texts that parts of a prompt may point to.
    """

    def __init__(self, seed: int, questions: Sequence[str] = ()) -> None:
        self._seed = seed
        self._questions = {f"q{index}": text for index, text in enumerate(questions)}
        words = Random(f"{seed}/words").choices(_VOCABULARY.split(), k=_CORPUS_WORDS)
        self._starts = [0, *accumulate(len(word) + 1 for word in [*words, *words])]
        # Twice, so that a whole round from any word on is one slice.
        self._text = (" ".join(words) + " ") * 2

    def text(self, key: int | str, tokens: int) -> str:
        """About `tokens` tokens at 0.75 words a token, the first word the key's own.

        Of two lengths under one key, the shorter text is how the longer one begins.
        """
        rounds, rest = divmod(max(1, round(tokens * WORDS_PER_TOKEN)) - 1, _CORPUS_WORDS)
        label = f"{self._seed}-{key} "
        start = crc32(label.encode()) % _CORPUS_WORDS
        begin = self._starts[start]
        whole = self._text[begin : self._starts[start + _CORPUS_WORDS]]
        return label + whole * rounds + self._text[begin : self._starts[start + rest]]

    def messages(self, arrival: Arrival) -> Messages:
        """The messages of one request; parts of one role that stand together are one message."""
        if not arrival.parts:
            return [{"role": "user", "content": self.text(arrival.number, arrival.prompt_tokens)}]
        return [
            {"role": role, "content": "".join(map(self._part, parts))}
            for role, parts in groupby(arrival.parts, key=attrgetter("role"))
        ]

    def flat(self, arrival: Arrival) -> str:
        """The same prompt as one text, for endpoints without roles."""
        return "\n".join(message["content"] for message in self.messages(arrival))

    def _part(self, part: Part) -> str:
        return self._questions.get(part.key) or self.text(part.key, part.tokens)


def chat_body(prompt: str | Messages, arrival: Arrival, model: str) -> bytes:
    """The body of POST /v1/chat/completions: streamed, with usage at the end."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt,
        "max_tokens": arrival.answer_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return dumps(body)
