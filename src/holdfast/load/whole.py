"""An answer that is no event stream: one piece, that came with the last byte."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from holdfast.load.sse import CONTENT, Answer, counts_in, error_text
from holdfast.store.pieces import loads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def read_whole(chunks: Sequence[tuple[float, bytes]], wanted: str) -> Answer:
    """What a body says that was read in these chunks: text of a completion, vectors, or just bytes.

    `broken` says why it is not what was `wanted` ("text" or "stream", "vectors", "anything").
    """
    if not chunks:
        return Answer()
    time, body = chunks[-1][0], b"".join(data for _, data in chunks)
    if wanted == "anything":
        return _piece(time, {})
    try:
        found = loads(body)
    except ValueError:
        return Answer(broken=f"the answer is not JSON: {body[:80].decode(errors='replace')!r}")
    if not isinstance(found, dict):
        return Answer(broken="the answer is not a JSON object")
    if found.get("error"):
        return Answer(error=error_text(found))
    return _vectors(time, found) if wanted == "vectors" else _text(time, found)


def _piece(time: float, body: Mapping[str, Any], text: str = "", **more: Any) -> Answer:
    """One piece; without text it brought no token."""
    usage = counts_in(body.get("usage"))
    said = {} if text else {0: 0}
    return Answer(times=[time], kinds=CONTENT, texts=[text], said=said, usage=usage or None, **more)


def _text(time: float, body: Mapping[str, Any]) -> Answer:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        return Answer(broken="the answer has no list of choices")
    text = "".join(map(_text_of, choices))
    if not text:
        return Answer(broken="the answer has no text")
    reason = next((choice["finish_reason"] for choice in choices if choice.get("finish_reason")), None)
    return _piece(time, body, text, finish_reason=reason)


def _text_of(choice: Mapping[str, Any]) -> str:
    message = choice.get("message")
    if not isinstance(message, dict):
        return str(choice.get("text") or "")
    parts = (message.get(name) for name in ("reasoning_content", "reasoning", "content", "tool_calls"))
    return "".join(part if isinstance(part, str) else str(part) for part in parts if part)


def _vectors(time: float, body: Mapping[str, Any]) -> Answer:
    data = body.get("data")
    if not isinstance(data, list) or not data:
        return Answer(broken="the answer has no list of embeddings")
    for one in data:
        vector = one.get("embedding") if isinstance(one, dict) else None
        if not (vector and (isinstance(vector, str) or _numbers(vector))):
            return Answer(broken="an embedding is not a list of numbers")
    return _piece(time, body)


def _numbers(vector: object) -> bool:
    return isinstance(vector, list) and all(type(number) in {int, float} and isfinite(number) for number in vector)
