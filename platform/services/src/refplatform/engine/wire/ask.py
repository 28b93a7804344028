"""From a body to an answer: which model, which prompts, and what each choice says."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from refplatform.engine.schema import value_of
from refplatform.engine.speech import Said, Wish, say
from refplatform.engine.tokens import encode, hashes_of
from refplatform.engine.wire.bodies import ChatBody, Generation, NamedTool, TextBody, check
from refplatform.engine.wire.errors import BadAskError
from refplatform.engine.wire.read import read
from refplatform.engine.wire.template import Prompt, conversation, prompts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refplatform.engine.models import Models
    from refplatform.engine.wire.bodies import Tool

ANY_OBJECT: Final = {"type": "object", "properties": {"answer": {"type": "string"}, "count": {"type": "integer"}}}
"""What is said when JSON is wanted and nothing is said about its shape."""

MOST_ANSWERS: Final = 4096
"""To one request: while they are made, nobody else gets a token."""

CALL: Final = "call"
"""One token before the arguments of a tool: the one with which its name is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mind:
    """What decides the text beside the request: a seed, and answers known by heart (prompt -> (answer, whole?))."""

    seed: int = 0
    known: Mapping[str, tuple[str, bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer to one prompt, of `most` tokens at most; `tool` is the function that it calls."""

    index: int
    prompt: Prompt
    said: Said
    most: int
    hashes: tuple[bytes, ...]
    tool: str | None = None

    @property
    def finish_reason(self) -> str:
        """The reason that the engine counts."""
        return self.said.finish_reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All that is answered to one request, before it is spoken."""

    identity: str
    created: int
    model: str
    lora: str | None
    body: Generation
    choices: tuple[Choice, ...]

    @property
    def chat(self) -> bool:
        """Whether it is a chat."""
        return isinstance(self.body, ChatBody)

    @property
    def prompt_tokens(self) -> int:
        """Each prompt counts once, however many answers it has."""
        return sum(len(choice.prompt.ids) for choice in self.choices[:: self.body.choices])

    @property
    def tokens(self) -> int:
        """Tokens of all answers."""
        return sum(len(choice.said.tokens) for choice in self.choices)


def answer(raw: bytes, *, chat: bool, models: Models, mind: Mind, identity: str, created: int) -> Answer:
    """The answer to a body. Raises BadAskError with what OpenAI's clients expect to read."""
    body: ChatBody | TextBody = read(ChatBody, raw) if chat else read(TextBody, raw)
    check(body, max_model_len=models.max_model_len)
    model, lora = models.resolve(body.model)
    asked = [conversation(body.messages, opened=body.add_generation_prompt)] if isinstance(body, ChatBody) else None
    asked = prompts(body.prompt) if isinstance(body, TextBody) else asked or []
    if len(asked) * body.choices > MOST_ANSWERS:
        raise BadAskError(f"{len(asked)} prompts of {body.choices} answers are more than {MOST_ANSWERS}", param="n")
    for prompt in asked:
        _check_length(prompt, models.max_model_len)
    numbered = ((prompt, way) for prompt in asked for way in range(body.choices))
    return Answer(
        identity=f"{'chatcmpl' if chat else 'cmpl'}-{body.request_id or identity}",
        created=created,
        model=model,
        lora=lora,
        body=body,
        choices=tuple(
            _choice(body, index, prompt, way, models=models, model=model, lora=lora, mind=mind)
            for index, (prompt, way) in enumerate(numbered)
        ),
    )


def _check_length(prompt: Prompt, limit: int) -> None:
    if len(prompt.ids) > limit:
        raise BadAskError(
            f"the context holds {limit} tokens, the prompt alone has {len(prompt.ids)}", param="input_tokens"
        )
    if len(prompt.ids) == limit:
        raise BadAskError("max_tokens must be at least 1; the prompt leaves no room", param="max_tokens")


def _choice(
    body: Generation, index: int, prompt: Prompt, way: int, *, models: Models, model: str, lora: str | None, mind: Mind
) -> Choice:
    varied = (("adapter", lora), ("seed", body.seed), ("choice", way or None), ("version", models.version))
    source = prompt.text + "".join(f"\0{name} {value}" for name, value in varied if value is not None)
    tool = _tool(body, source)
    room = models.max_model_len - len(prompt.ids)
    given, then_words = _given(body, prompt, source, tool, mind)
    said = say(
        Wish(
            source=source,
            room=room,
            most=max(1, body.most) if body.most is not None else None,
            least=body.min_tokens,
            endless=body.ignore_eos,
            stops=() if tool else body.stops,
            keep_stop=body.include_stop_str_in_output,
            given=given,
            then_words=then_words,
        ),
        seed=mind.seed,
    )
    ids = prompt.ids + encode("".join(said.tokens))
    salt = f"{model}\0{body.cache_salt or ''}".encode()
    name = None if tool is None else tool.function.name
    most = room if body.most is None else min(room, max(1, body.most))
    return Choice(index=index, prompt=prompt, said=said, most=most, hashes=hashes_of(ids, salt), tool=name)


def _given(body: Generation, prompt: Prompt, source: str, tool: Tool | None, mind: Mind) -> tuple[str | None, bool]:
    """A text to be said instead of words, and whether words follow it."""
    if tool:
        return CALL + _json(tool.function.parameters or {"type": "object"}, source, "tools"), False
    form = body.response_format
    if form and form.type != "text":
        wanted = form.json_schema.schema_ if form.json_schema else None
        return _json(wanted or ANY_OBJECT, source, "response_format"), False
    if mind.known and (found := mind.known.get(_question(body, prompt))):
        return found[0], not found[1]
    return None, False


def _question(body: Generation, prompt: Prompt) -> str:
    last = body.messages[-1].content if isinstance(body, ChatBody) else prompt.text
    return last if isinstance(last, str) else ""


def _json(schema: dict[str, Any], source: str, param: str) -> str:
    try:
        return orjson.dumps(value_of(schema, source)).decode()
    except (ValueError, TypeError) as error:  # orjson's, for numbers beyond 64 bits
        raise BadAskError(f"{param}: {error}", param=param) from error


def _tool(body: Generation, source: str) -> Tool | None:
    """The tool to call: the one that is named, any that is needed, or by the hash of the prompt one or none.

    After a tool has answered none is called any more, unless it must be: an agent comes to an end.
    """
    if not isinstance(body, ChatBody) or not body.tools or body.tool_choice == "none":
        return None
    if isinstance(body.tool_choice, NamedTool):
        name = body.tool_choice.function.name
        return next(tool for tool in body.tools if tool.function.name == name)
    drawn = int.from_bytes(blake2b(source.encode("utf-8", "surrogatepass"), digest_size=4).digest())
    if body.tool_choice != "required" and (drawn % 2 == 0 or body.messages[-1].role == "tool"):
        return None
    return body.tools[drawn // 2 % len(body.tools)]
