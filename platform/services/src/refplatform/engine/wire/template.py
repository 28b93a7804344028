"""Prompts as token ids: conversations through the chat template, texts and ids as they are.

The template begins each message with its role. The words that open an answer are twelve bytes, three whole tokens: so
an answer that comes back in the next prompt has the token ids that it had when it was generated, and is found in the
prefix cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from refplatform.engine.tokens import decode, encode
from refplatform.engine.wire.bodies import vocabulary
from refplatform.engine.wire.errors import BadAskError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from refplatform.engine.wire.bodies import Message

OPENS_ANSWER: Final = "\nassistant: "


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads."""

    text: str
    ids: list[int]


def conversation(messages: Sequence[Message], *, opened: bool = True) -> Prompt:
    """The prompt of a chat; each message has tokens of its own. `opened`: with the words that open the answer."""
    segments = [*_segments(messages), *([OPENS_ANSWER] if opened else ())]
    return Prompt("".join(segments), [one for segment in segments for one in encode(segment)])


def prompts(given: Any) -> list[Prompt]:
    """The prompts of a text completion or an embedding: one, or a list. Raises BadAskError."""
    if given is None or given == "":
        raise BadAskError("a prompt must be given, and not be empty", param="prompt")
    if given == []:
        raise BadAskError("at least one prompt must be given")
    many = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    return [_prompt(one) for one in many]


def _prompt(given: str | list[int]) -> Prompt:
    if not given:
        raise BadAskError("a prompt must not be empty")
    if isinstance(given, str):
        return Prompt(given, encode(given))
    return Prompt(decode(vocabulary(given)), given)


def _segments(messages: Sequence[Message]) -> Iterator[str]:
    for index, message in enumerate(messages):
        yield f"{chr(10) if index else ''}{message.role}: {_content(message)}"


def _content(message: Message) -> str:
    if isinstance(message.content, list):
        text = "\n".join(part.text or "" for part in message.content)
    else:
        text = message.content or ""
    return text + orjson.dumps(message.tool_calls).decode() if message.tool_calls else text
