"""POST /v1/embeddings: texts or token ids in, unit vectors out, as numbers or as base64 of 32-bit floats."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from struct import pack
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
from pydantic import Field

from refplatform.engine.embeddings import DIMENSIONS, MOST_DIMENSIONS, embed
from refplatform.engine.wire.bodies import Int64, TokenId
from refplatform.engine.wire.errors import BadAskError
from refplatform.engine.wire.read import Body, read
from refplatform.engine.wire.template import Prompt, prompts

if TYPE_CHECKING:
    from refplatform.engine.models import Models


class EmbeddingBody(Body):
    """What a client sends."""

    model: str | None = None
    input: list[TokenId] | list[list[TokenId]] | str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1, le=MOST_DIMENSIONS)] | None = None
    user: str | None = None
    priority: Int64 = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingAsk:
    """The texts of one request, each with its token ids."""

    body: EmbeddingBody
    model: str
    lora: str | None
    prompts: list[Prompt]

    def answer(self, *, identity: str, created: int) -> bytes:
        """The whole answer as JSON, in the order of the texts."""
        dimensions = self.body.dimensions or DIMENSIONS
        write = _base64 if self.body.encoding_format == "base64" else list
        data = [
            {"index": index, "object": "embedding", "embedding": write(embed(prompt.text, dimensions))}
            for index, prompt in enumerate(self.prompts)
        ]
        tokens = sum(len(prompt.ids) for prompt in self.prompts)
        none = dict.fromkeys(("prompt_tokens_details", "completion_tokens_details"))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0, **none}
        head = {"id": identity, "object": "list", "created": created, "model": self.model}
        return orjson.dumps({**head, "data": data, "usage": usage})


def read_embedding(raw: bytes, models: Models) -> EmbeddingAsk:
    """The request in a body. Raises BadAskError."""
    body = read(EmbeddingBody, raw)
    model, lora = models.resolve(body.model)
    asked = prompts(body.input)
    longest = max(len(prompt.ids) for prompt in asked)
    if longest > models.max_model_len:
        raise BadAskError(
            f"the context holds {models.max_model_len} tokens, one text has {longest}", param="input_tokens"
        )
    return EmbeddingAsk(body=body, model=model, lora=lora, prompts=asked)


def _base64(vector: list[float]) -> str:
    return b64encode(pack(f"<{len(vector)}f", *vector)).decode()
