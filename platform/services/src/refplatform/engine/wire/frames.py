"""Server-sent events of an answer, byte for byte as vLLM 0.33 writes them."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from refplatform.engine.speech import split
from refplatform.engine.tokens import encode
from refplatform.engine.wire.logprobs import chat_logprobs, text_logprobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.engine.wire.ask import Answer, Choice

VERSION: Final = "0.33.0"
"""The vLLM whose shapes these are."""

DONE: Final = b"data: [DONE]\n\n"


def fingerprint(model: str) -> str:
    """What vLLM calls its version and configuration."""
    return f"vllm-{VERSION}-{blake2b(model.encode(), digest_size=4).hexdigest()}"


class Frames:
    """The events of one choice: a plain answer's words between bytes that are prepared once, all others by field."""

    def __init__(self, answer: Answer, choice: Choice) -> None:
        self._answer, self._choice, self._body = answer, choice, answer.body
        kind = "chat.completion.chunk" if answer.chat else "text_completion"
        head = {"id": answer.identity, "object": kind, "created": answer.created, "model": answer.model}
        self._head = b"data: " + orjson.dumps(head)[:-1] + b',"choices":['
        self.last = len(choice.said.tokens) - 1
        self.token: Callable[[int], bytes] = self._fields
        if self._plain():
            self._prepare()
            self.token = self._word

    def opening(self) -> bytes:
        """What comes before the first token: the role, for chat."""
        if not self._answer.chat:
            return b""
        delta = {"role": "assistant", "content": ""}
        choice = {"index": self._choice.index, "delta": delta, "logprobs": None, "finish_reason": None}
        rest = {"prompt_token_ids": self._prompt_ids(), "prompt_text": None}
        return self._event(choice, {**self._running(0), **rest})

    def tokens(self, begin: int, end: int) -> bytes:
        """The events of some tokens."""
        return b"".join(map(self.token, range(begin, end)))

    def closing(self, cached: int | None = None) -> bytes:
        """The counts when they were asked for, and the end mark."""
        if not self._body.usage:
            return DONE
        tail = {
            "usage": usage(self._answer, cached, sparse=True),
            "system_fingerprint": fingerprint(self._answer.model),
        }
        return self._head + b"]," + orjson.dumps(tail)[1:] + b"\n\n" + DONE

    def aborted(self) -> bytes:
        """The end of an answer that somebody else ended."""
        return self._field_event(self.last, text="", last=True, reason="abort") + DONE

    def _plain(self) -> bool:
        body, choice = self._body, self._choice
        unusual = choice.tool, body.alternatives is not None, body.running_usage, body.return_token_ids
        return not (any(unusual) or getattr(body, "echo", False))

    def _prepare(self) -> None:
        """Cut two events at the text: one of the middle, and the last."""
        mark = b'""'
        self._before, self._after = self._field_event(0, text="", last=False).split(mark, 1)
        _, self._ending = self._field_event(0, text="", last=True).split(mark, 1)

    def _word(self, index: int) -> bytes:
        after = self._ending if index == self.last else self._after
        return self._before + orjson.dumps(self._choice.said.pieces[index]) + after

    def _fields(self, index: int) -> bytes:
        return self._field_event(index, text=self._choice.said.pieces[index], last=index == self.last)

    def _field_event(self, index: int, *, text: str, last: bool, reason: str | None = None) -> bytes:
        choice = self._chat(index, text, last=last) if self._answer.chat else self._text(index, text, last=last)
        if reason:
            choice["finish_reason"] = reason
        rest: dict[str, Any] = self._running(index + 1)
        if last and not self._body.usage:
            rest["system_fingerprint"] = fingerprint(self._answer.model)
        return self._event(choice, {**rest, "kv_transfer_params": None})

    def _chat(self, index: int, text: str, *, last: bool) -> dict[str, Any]:
        wanted, tokens = self._body.alternatives, self._choice.said.tokens
        told = None if wanted is None else chat_logprobs(tokens[index : index + 1], index, wanted)
        choice: dict[str, Any] = {"index": self._choice.index, "delta": self._delta(index, text), "logprobs": told}
        choice["finish_reason"] = finish_reason(self._answer, self._choice) if last else None
        if last:
            choice["stop_reason"] = self._choice.said.stop_reason
        choice["token_ids"] = self._ids(index)
        return choice | ({"weight_versions": None} if last else {})

    def _delta(self, index: int, text: str) -> dict[str, Any]:
        if self._choice.tool is None:
            return {"content": text}
        if index == 0:
            call = {"id": call_id(self._answer, self._choice), "type": "function", "index": 0}
            return {"content": None, "tool_calls": [call | {"function": {"name": self._choice.tool}}]}
        return {"content": None, "tool_calls": [{"index": 0, "function": {"arguments": text}}]}

    def _text(self, index: int, text: str, *, last: bool) -> dict[str, Any]:
        choice, said = self._choice, self._choice.said
        echoed = getattr(self._body, "echo", False)
        first = echoed and index == 0
        return {
            "index": choice.index,
            "text": choice.prompt.text + text if first else text,
            "logprobs": told_text(self._body.alternatives, choice, index, index + 1, echoed=echoed),
            "finish_reason": said.finish_reason if last else None,
            "stop_reason": said.stop_reason if last else None,
            "prompt_token_ids": choice.prompt.ids if first else self._prompt_ids() if index == 0 else None,
            "token_ids": self._ids(index),
            "weight_versions": None,
        }

    def _prompt_ids(self) -> list[int] | None:
        return self._choice.prompt.ids if self._body.return_token_ids else None

    def _ids(self, index: int) -> list[int] | None:
        return encode(self._choice.said.tokens[index]) if self._body.return_token_ids else None

    def _running(self, said: int) -> dict[str, Any]:
        if not self._body.running_usage:
            return {}
        prompt = len(self._choice.prompt.ids)
        counts = {"prompt_tokens": prompt, "total_tokens": prompt + said, "completion_tokens": said}
        return {"usage": counts | ({"completion_tokens_details": None} if self._answer.chat else {})}

    def _event(self, choice: dict[str, Any], rest: dict[str, Any]) -> bytes:
        tail = b"]," + orjson.dumps(rest)[1:] if rest else b"]}"
        return self._head + orjson.dumps(choice) + tail + b"\n\n"


def told_text(wanted: int | None, choice: Choice, begin: int, end: int, *, echoed: bool) -> dict[str, Any] | None:
    """The probabilities of some tokens of a text completion, those of an echoed prompt before the first."""
    if wanted is None:
        return None
    said, offset = choice.said.tokens, len(choice.prompt.text) if echoed else 0
    if echoed and begin == 0:
        return text_logprobs([*split(choice.prompt.text), *said[:end]], 0, wanted, offset=0, silent=1)
    return text_logprobs(said[begin:end], begin, wanted, offset=offset + sum(map(len, said[:begin])))


def finish_reason(answer: Answer, choice: Choice) -> str:
    """Why a chat ends. A tool that the client named itself ends with `stop`, as OpenAI has it."""
    named = not isinstance(getattr(answer.body, "tool_choice", None), str | None)
    called = choice.tool is not None and choice.said.finish_reason == "stop" and not named
    return "tool_calls" if called else choice.said.finish_reason


def call_id(answer: Answer, choice: Choice) -> str:
    """The name of the one call that a choice makes."""
    return f"chatcmpl-tool-{blake2b(f'{answer.identity} {choice.index}'.encode(), digest_size=8).hexdigest()}"


def usage(answer: Answer, cached: int | None, *, sparse: bool = False) -> dict[str, Any]:
    """The counts; `cached` of the prompt's tokens were found in the prefix cache, None when that is not told.

    `sparse` leaves out what is null.
    """
    prompt, said = answer.prompt_tokens, answer.tokens
    counts: dict[str, Any] = {"prompt_tokens": prompt, "total_tokens": prompt + said, "completion_tokens": said}
    if cached is not None:
        details: dict[str, Any] = {"cached_tokens": cached}
        if answer.chat or not sparse:
            details["created_cache_tokens"] = 0 if answer.chat else None
        counts["prompt_tokens_details"] = details if sparse else {**details, "multimodal_tokens": None}
    elif not sparse:
        counts["prompt_tokens_details"] = None
    return counts if sparse else counts | {"completion_tokens_details": None}
