"""OpenAI's chat and text completions as bytes: a request body read into an Ask, an answer written as JSON or SSE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from refplatform.engine.answers import answer_tokens, count_tokens, natural_length

DONE: Final = b"data: [DONE]\n\n"


class BadAskError(Exception):
    """The request cannot be served as asked; carries the HTTP status and OpenAI's error fields."""

    def __init__(self, message: str, *, status: int = 400, kind: str = "BadRequestError", param: str | None) -> None:
        super().__init__(message)
        self.status, self.kind, self.param = status, kind, param


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a client wants: `max_tokens` is None when the answer may end by itself."""

    chat: bool
    model: str
    prompt: str
    prompt_tokens: int
    max_tokens: int | None
    stream: bool
    include_usage: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer before it is spoken: its tokens, and why it ends."""

    identity: str
    created: int
    ask: Ask
    tokens: tuple[str, ...]
    finish_reason: str

    @property
    def usage(self) -> dict[str, int]:
        """Token counts as OpenAI reports them."""
        prompt, completion = self.ask.prompt_tokens, len(self.tokens)
        return {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion}


def read_ask(body: bytes, *, chat: bool, model: str, max_model_len: int) -> Ask:
    """The request in a body. Raises BadAskError with what OpenAI's clients expect to read."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAskError(f"the body is not JSON: {error}", param=None) from error
    if not isinstance(raw, dict):
        raise BadAskError("the body must be a JSON object", param=None)
    _check_model(raw.get("model", model), model)
    stream = _boolean(raw, "stream")
    prompt, tokens = _chat_prompt(raw.get("messages")) if chat else _prompt(raw.get("prompt"))
    limit = _max_tokens(raw, tokens=tokens, max_model_len=max_model_len)
    return Ask(
        chat=chat,
        model=model,
        prompt=prompt,
        prompt_tokens=tokens,
        max_tokens=limit,
        stream=stream,
        include_usage=_include_usage(raw.get("stream_options"), stream=stream),
    )


def compose(ask: Ask, *, seed: int, identity: str, created: int, max_model_len: int) -> Answer:
    """The whole answer to a request, decided before its first token: the same for the same seed and prompt."""
    natural = min(natural_length(seed, ask.prompt), max_model_len - ask.prompt_tokens)
    count = natural if ask.max_tokens is None else ask.max_tokens
    return Answer(
        identity=identity,
        created=created,
        ask=ask,
        tokens=tuple(answer_tokens(seed, ask.prompt, count)),
        finish_reason="stop" if ask.max_tokens is None else "length",
    )


class Frames:
    """The server-sent events of one answer: everything but the token itself is prepared once."""

    def __init__(self, answer: Answer) -> None:
        kind = "chat.completion.chunk" if answer.ask.chat else "text_completion"
        head = orjson.dumps(
            {"id": answer.identity, "object": kind, "created": answer.created, "model": answer.ask.model}
        )
        self._answer = answer
        self._head = b"data: " + head[:-1] + b',"choices":['
        opened = b'{"index":0,"delta":{"content":"' if answer.ask.chat else b'{"index":0,"text":"'
        closed = b'"}' if answer.ask.chat else b'"'
        self._before = self._head + opened
        self._after = closed + b',"logprobs":null,"finish_reason":null}]}\n\n'
        self._last = closed + b',"logprobs":null,"finish_reason":"%s"}]}\n\n' % answer.finish_reason.encode()

    def opening(self) -> bytes:
        """What comes before the first token: the role, for chat."""
        if not self._answer.ask.chat:
            return b""
        role = b'{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
        return self._head + role

    def token(self, index: int) -> bytes:
        """One token; the last one carries the finish reason, as vLLM's does."""
        tokens = self._answer.tokens
        after = self._last if index == len(tokens) - 1 else self._after
        return self._before + tokens[index].encode() + after

    def closing(self) -> bytes:
        """The usage event when it was asked for, and the end mark."""
        if not self._answer.ask.include_usage:
            return DONE
        return self._head + b'],"usage":' + orjson.dumps(self._answer.usage) + b"}\n\n" + DONE


def whole(answer: Answer) -> bytes:
    """The answer as one JSON document."""
    text = "".join(answer.tokens)
    choice: dict[str, object] = {"index": 0, "logprobs": None, "finish_reason": answer.finish_reason}
    choice |= {"message": {"role": "assistant", "content": text}} if answer.ask.chat else {"text": text}
    return orjson.dumps(
        {
            "id": answer.identity,
            "object": "chat.completion" if answer.ask.chat else "text_completion",
            "created": answer.created,
            "model": answer.ask.model,
            "choices": [choice],
            "usage": answer.usage,
        }
    )


def _check_model(asked: object, served: str) -> None:
    if asked != served:
        raise BadAskError(f"The model `{asked}` does not exist.", status=404, kind="NotFoundError", param="model")


def _boolean(raw: dict[str, Any], name: str) -> bool:
    value = raw.get(name) or False
    if not isinstance(value, bool):
        raise BadAskError(f"{name} must be true or false", param=name)
    return value


def _include_usage(options: object, *, stream: bool) -> bool:
    if options is None:
        return False
    if not stream:
        raise BadAskError("stream_options may only be set when stream is true", param="stream_options")
    if not isinstance(options, dict):
        raise BadAskError("stream_options must be an object", param="stream_options")
    return bool(options.get("include_usage"))


def _max_tokens(raw: dict[str, Any], *, tokens: int, max_model_len: int) -> int | None:
    if raw.get("n", 1) != 1:
        raise BadAskError("only n=1 is served", param="n")
    limit = raw.get("max_completion_tokens", raw.get("max_tokens"))
    if limit is not None and (type(limit) is not int or limit < 1):
        raise BadAskError("max_tokens must be an integer of at least 1", param="max_tokens")
    needed = tokens + (limit or 1)
    if needed > max_model_len:
        raise BadAskError(
            f"This model's maximum context length is {max_model_len} tokens, the request needs {needed}.",
            param="max_tokens" if limit else "prompt",
        )
    return limit


def _chat_prompt(messages: object) -> tuple[str, int]:
    if not isinstance(messages, list) or not messages:
        raise BadAskError("messages must be a non-empty list", param="messages")
    prompt = "\n".join(f"{_role(message)}: {_content(message)}" for message in messages)
    return prompt, count_tokens(prompt)


def _role(message: object) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(role, str):
        raise BadAskError("each message needs a role", param="messages")
    return role


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        content = _joined(content)
    if not isinstance(content, str):
        raise BadAskError("each message needs a content of text", param="messages")
    return content


def _joined(parts: list[Any]) -> str | None:
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "".join(texts) if len(texts) == len(parts) else None


def _prompt(prompt: object) -> tuple[str, int]:
    match prompt:
        case [str(only)]:
            return only, count_tokens(only)
        case str():
            return prompt, count_tokens(prompt)
        case [int(), *_] if all(isinstance(token, int) for token in prompt):
            return ",".join(map(str, prompt)), len(prompt)
    raise BadAskError("prompt must be a text, a list with one text, or a list of token ids", param="prompt")
