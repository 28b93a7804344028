"""The bodies of chat and text completions: their fields, and what vLLM refuses of their values."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from refplatform.engine.tokens import VOCABULARY
from refplatform.engine.wire.errors import BadAskError
from refplatform.engine.wire.read import Body

MOST_CHOICES: Final = 64
MOST_LOGPROBS: Final = 20
MOST_SALT: Final = 128
TEXT_TOKENS: Final = 16
"""Tokens of a text completion when nothing else is asked; OpenAI's default."""

_INT64: Final = 2**63
Int64 = Annotated[int, Field(ge=-_INT64, lt=_INT64)]
TokenId = Annotated[int, Field(ge=0)]
Schema = dict[str, Any]


class StreamOptions(Body):
    """What a stream carries beside its tokens."""

    include_usage: bool | None = False
    continuous_usage_stats: bool | None = False


class JsonSchema(Body):
    """A schema with a name."""

    name: str = ""
    schema_: Schema | None = Field(default=None, alias="schema")


class ResponseFormat(Body):
    """What the text must be."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Generation(Body):
    """What both kinds of completion share."""

    model: str | None = None
    n: int | None = 1
    max_tokens: int | None = None
    min_tokens: int = 0
    stop: str | list[str] | None = None
    include_stop_str_in_output: bool = False
    ignore_eos: bool = False
    seed: Int64 | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    priority: Int64 = 0
    cache_salt: str | None = None
    request_id: str | None = None
    return_token_ids: bool | None = False
    user: str | None = None

    @property
    def choices(self) -> int:
        """How many answers to a prompt."""
        return 1 if self.n is None else self.n

    @property
    def stops(self) -> tuple[str, ...]:
        """Strings that end an answer."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def most(self) -> int | None:
        """The client's limit in tokens."""
        return self.max_tokens

    @property
    def alternatives(self) -> int | None:
        """How many likeliest tokens to tell beside each, None when nothing is asked about probabilities."""
        return None

    @property
    def usage(self) -> bool:
        """Whether the stream ends with the counts."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def running_usage(self) -> bool:
        """Whether every event carries the counts."""
        return self.usage and bool(self.stream_options and self.stream_options.continuous_usage_stats)


class Function(Body):
    """What a tool is called and what it takes."""

    name: str
    parameters: Schema | None = None


class Tool(Body):
    """One tool."""

    type: Literal["function"] = "function"
    function: Function


class NamedTool(Body):
    """The tool that must be called."""

    type: Literal["function"] = "function"
    function: Function


class Part(Body):
    """A part of a message."""

    type: str
    text: str | None = None


class Message(Body):
    """One message of a conversation."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None


class ChatBody(Generation):
    """POST /v1/chat/completions."""

    messages: list[Message]
    max_completion_tokens: int | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = 0
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    add_generation_prompt: bool = True

    @property
    def most(self) -> int | None:
        """The newer of two names wins."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def alternatives(self) -> int | None:
        """None unless `logprobs` is true."""
        return _alternatives(self.top_logprobs or 0) if self.logprobs else None


class TextBody(Generation):
    """POST /v1/completions."""

    prompt: list[TokenId] | list[list[TokenId]] | str | list[str] | None = None
    logprobs: int | None = None
    echo: bool | None = False

    @property
    def most(self) -> int:
        """Never without a limit."""
        return TEXT_TOKENS if self.max_tokens is None else self.max_tokens

    @property
    def alternatives(self) -> int | None:
        """None unless `logprobs` is a number."""
        return None if self.logprobs is None else _alternatives(self.logprobs)


def _alternatives(asked: int) -> int:
    return MOST_LOGPROBS if asked == -1 else asked


def check(body: Generation, *, max_model_len: int) -> None:
    """Refuse values that vLLM refuses. Raises BadAskError with the first of them."""
    for wrong, param, said in (*_shared(body, max_model_len), *_own(body)):
        if wrong:
            raise BadAskError(f"{param or ''} {said}".strip(), param=param)


def _shared(body: Generation, max_model_len: int) -> tuple[tuple[bool, str | None, str], ...]:
    most, salt, form = body.most, body.cache_salt, body.response_format
    lowest = 0 if isinstance(body, TextBody) and body.echo else 1
    return (
        (bool(body.stream_options) and not body.stream, "stream_options", "needs stream to be true"),
        (most is not None and most < lowest, "max_tokens", f"must be at least {lowest}"),
        (most is not None and most > max_model_len, "max_tokens", f"is more than the {max_model_len} of the context"),
        (not 1 <= body.choices <= MOST_CHOICES, "n", f"must be between 1 and {MOST_CHOICES}"),
        (body.min_tokens < 0, "min_tokens", "must not be negative"),
        (most is not None and body.min_tokens > most, "min_tokens", "is more than max_tokens"),
        ("" in body.stops, "stop", "must not contain an empty string"),
        (not _within(body.temperature, 0, 2), "temperature", "must be in [0, 2]"),
        (body.top_p == 0 or not _within(body.top_p, 0, 1), "top_p", "must be in (0, 1]"),
        (body.top_k is not None and body.top_k < -1, "top_k", "must be -1, 0 or more"),
        (not _within(body.min_p, 0, 1), "min_p", "must be in [0, 1]"),
        (not _within(body.presence_penalty, -2, 2), "presence_penalty", "must be in [-2, 2]"),
        (not _within(body.frequency_penalty, -2, 2), "frequency_penalty", "must be in [-2, 2]"),
        (body.repetition_penalty is not None and not body.repetition_penalty > 0, "repetition_penalty", "must be > 0"),
        (not _within(body.alternatives, 0, MOST_LOGPROBS), "logprobs", f"must be -1 or 0 to {MOST_LOGPROBS}"),
        (salt is not None and not 1 <= len(salt) <= MOST_SALT, "cache_salt", f"must have 1 to {MOST_SALT} characters"),
        (form is not None and form.type == "json_schema" and not form.json_schema, "response_format", "lacks a schema"),
    )


def _own(body: Generation) -> tuple[tuple[bool, str | None, str], ...]:
    if not isinstance(body, ChatBody):
        return ()
    names = {tool.function.name for tool in body.tools or ()}
    choice = body.tool_choice
    named = choice.function.name if isinstance(choice, NamedTool) else None
    parts = (part for message in body.messages if isinstance(message.content, list) for part in message.content)
    return (
        (not body.messages, "messages", "must hold at least one message"),
        (any(part.text is None for part in parts), "messages", "may hold text only: this model is not multimodal"),
        (bool(body.top_logprobs) and not body.logprobs, "top_logprobs", "needs logprobs to be true"),
        (body.tools == [], "tools", "must hold at least one tool, or be left out"),
        (not names and choice not in (None, "none"), "tool_choice", "needs tools"),
        (named is not None and named not in names, "tool_choice", "names none of the tools"),
    )


def _within(value: float | None, low: float, high: float) -> bool:
    """Whether a number that was given lies between two others; NaN does not."""
    return value is None or low <= value <= high


def vocabulary(ids: list[int]) -> list[int]:
    """The ids, if all of them are tokens. Raises BadAskError."""
    wrong = next((one for one in ids if one >= VOCABULARY), None)
    if wrong is not None:
        raise BadAskError(f"Token id {wrong} is out of vocabulary")
    return ids
