"""POST /tokenize and /detokenize: the same ids that prompts are counted and cached by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refplatform.engine.tokens import decode, encode, piece
from refplatform.engine.wire.bodies import Message, TokenId, vocabulary
from refplatform.engine.wire.errors import BadAskError
from refplatform.engine.wire.read import Body, read
from refplatform.engine.wire.template import conversation

if TYPE_CHECKING:
    from refplatform.engine.models import Models


class TokenizeBody(Body):
    """A text or a conversation."""

    model: str | None = None
    prompt: str | None = None
    messages: list[Message] | None = None
    add_generation_prompt: bool = True
    return_token_strs: bool | None = False


class DetokenizeBody(Body):
    """Token ids."""

    model: str | None = None
    tokens: list[TokenId]


def tokenize(raw: bytes, models: Models) -> dict[str, Any]:
    """The ids of a prompt. Raises BadAskError."""
    body = read(TokenizeBody, raw)
    models.resolve(body.model)
    if body.messages is not None:
        ids = conversation(body.messages, opened=body.add_generation_prompt).ids
    elif body.prompt is not None:
        ids = encode(body.prompt)
    else:
        raise BadAskError("give a prompt, or messages", kind="Bad Request", param="body.prompt")
    strings = [piece(one).decode("utf-8", "replace") for one in ids] if body.return_token_strs else None
    return {"count": len(ids), "max_model_len": models.max_model_len, "tokens": ids, "token_strs": strings}


def detokenize(raw: bytes, models: Models) -> dict[str, Any]:
    """The text of ids. Raises BadAskError."""
    body = read(DetokenizeBody, raw)
    models.resolve(body.model)
    return {"prompt": decode(vocabulary(body.tokens))}
