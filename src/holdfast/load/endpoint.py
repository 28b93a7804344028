"""What is asked of a server, and how its answer is read: chat, completions, embeddings, documents, or any path."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from holdfast.load.prompt import chat_body
from holdfast.load.sse import AnswerReader
from holdfast.load.whole import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.load.prompt import Prompts
    from holdfast.load.sse import Answer
    from holdfast.load.transport import Client, Exchange
    from holdfast.model.load import Arrival

Wanted = Literal["stream", "text", "vectors", "anything"]
"""What is an answer: events with text up to `[DONE]`; text with a finish reason; lists of numbers; any 2xx."""
PATHS: Final = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "documents": "/v1/documents",
}
SLICE: Final = 16384
"""Bytes parsed at a stretch: some 70 events and a tenth of a millisecond, which all other stamps wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One place to ask. `name` is a key of PATHS, or a path; a path gets `fixed` as its body, or is only looked at.

    `stamp` makes documents of one load new to a service that has those of another: they bear it in their titles.
    """

    name: str = "chat"
    stream: bool = True
    fixed: bytes | None = None
    stamp: str = ""

    @property
    def path(self) -> str:
        """Where requests go."""
        return PATHS.get(self.name, self.name)

    @property
    def method(self) -> str:
        """How it is asked: a path without a body is only looked at."""
        return "POST" if self.asks or self.fixed is not None else "GET"

    @property
    def wanted(self) -> Wanted:
        """What is an answer here."""
        if self.name not in PATHS or self.name == "documents":
            return "anything"
        if self.name == "embeddings":
            return "vectors"
        return "stream" if self.stream else "text"

    @property
    def asks(self) -> bool:
        """Whether requests carry a prompt."""
        return self.name in PATHS

    def body(self, prompts: Prompts, arrival: Arrival, model: str) -> bytes:
        """The body of one request; empty where only a GET is sent."""
        if not self.asks:
            return self.fixed or b""
        if self.name == "chat" and self.stream:
            return chat_body(prompts.messages(arrival), arrival, model)
        return json.dumps(self._fields(prompts, arrival, model), separators=(",", ":")).encode()

    def _fields(self, prompts: Prompts, arrival: Arrival, model: str) -> dict[str, object]:
        if self.name == "embeddings":
            return {"model": model, "input": prompts.flat(arrival)}
        if self.name == "documents":
            return {"title": f"{self.stamp}-{arrival.number}", "text": prompts.flat(arrival)}
        chat = self.name == "chat"
        asked = {"messages": prompts.messages(arrival)} if chat else {"prompt": prompts.flat(arrival)}
        fields = {"model": model, **asked, "max_tokens": arrival.answer_tokens, "stream": self.stream}
        return fields | ({"stream_options": {"include_usage": True}} if self.stream else {})

    def send(self, client: Client, body: bytes, headers: dict[str, str]) -> Exchange:
        """One exchange with the server."""
        accepts = "text/event-stream" if self.wanted == "stream" else "*/*"
        if self.method == "GET":
            return client.get(self.path, {"accept": accepts, **headers})
        return client.post(self.path, body, {"content-type": "application/json", "accept": accepts, **headers})

    def reading(self, exchange: Exchange) -> Iterator[Answer | None]:
        """The answer, last; None before it as often as others should run in between."""
        if not self._is_stream(exchange):
            yield read_whole(exchange.chunks, self.wanted)
            return
        reader, size = AnswerReader(), 0
        for instant, data in exchange.chunks:
            reader.feed(instant, data)
            size += len(data)
            if size > SLICE:
                yield None
                size = 0
        yield reader.finish()

    def _is_stream(self, exchange: Exchange) -> bool:
        """As the server says; one that says nothing is believed to do as it was asked."""
        said = exchange.content_type
        if "event-stream" in said:
            return True
        return self.wanted == "stream" and "json" not in said


CHAT: Final = Endpoint()
