"""An answer as one JSON document, with all the fields that vLLM 0.33 writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from refplatform.engine.tokens import encode
from refplatform.engine.wire.ask import CALL
from refplatform.engine.wire.frames import call_id, fingerprint, finish_reason, told_text, usage
from refplatform.engine.wire.logprobs import chat_logprobs

if TYPE_CHECKING:
    from refplatform.engine.wire.ask import Answer, Choice


def whole(answer: Answer, cached: int | None = None) -> bytes:
    """The document; `cached` as `usage` takes it."""
    choice = _chat if answer.chat else _text
    document: dict[str, Any] = {
        "id": answer.identity,
        "object": "chat.completion" if answer.chat else "text_completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [choice(answer, one) for one in answer.choices],
        "service_tier": None,
        "system_fingerprint": fingerprint(answer.model),
        "usage": usage(answer, cached),
    }
    if answer.chat:
        first = answer.choices[0].prompt.ids if answer.body.return_token_ids else None
        document |= {"prompt_logprobs": None, "prompt_token_ids": first, "prompt_text": None}
    return orjson.dumps({**document, "kv_transfer_params": None, "ec_transfer_params": None, "metrics": None})


def _chat(answer: Answer, choice: Choice) -> dict[str, Any]:
    wanted = answer.body.alternatives
    return {
        "index": choice.index,
        "message": _message(answer, choice),
        "logprobs": None if wanted is None else chat_logprobs(choice.said.tokens, 0, wanted),
        "finish_reason": finish_reason(answer, choice),
        "stop_reason": choice.said.stop_reason,
        "token_ids": _ids(answer, choice),
        "routed_experts": None,
        "weight_versions": None,
    }


def _message(answer: Answer, choice: Choice) -> dict[str, Any]:
    text = choice.said.text
    message: dict[str, Any] = {"role": "assistant", "content": "" if choice.tool else text}
    message |= dict.fromkeys(("refusal", "annotations", "audio", "function_call"))
    if choice.tool:
        function = {"name": choice.tool, "arguments": text.removeprefix(CALL)}
        message["tool_calls"] = [{"id": call_id(answer, choice), "type": "function", "function": function}]
    return {**message, "reasoning": None}


def _text(answer: Answer, choice: Choice) -> dict[str, Any]:
    echoed = bool(getattr(answer.body, "echo", False))
    end = len(choice.said.tokens)
    return {
        "index": choice.index,
        "text": choice.prompt.text + choice.said.text if echoed else choice.said.text,
        "logprobs": told_text(answer.body.alternatives, choice, 0, end, echoed=echoed),
        "finish_reason": choice.said.finish_reason,
        "stop_reason": choice.said.stop_reason,
        "token_ids": _ids(answer, choice),
        "prompt_logprobs": None,
        "prompt_token_ids": choice.prompt.ids if answer.body.return_token_ids else None,
        "routed_experts": None,
        "weight_versions": None,
    }


def _ids(answer: Answer, choice: Choice) -> list[int] | None:
    return [one for token in choice.said.tokens for one in encode(token)] if answer.body.return_token_ids else None
