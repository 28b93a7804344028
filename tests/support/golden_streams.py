"""Answers of every shape that servers send, byte by byte, and what every event of them is: the truth for any reader.

Each `Golden` has the reads of one answer, (second, bytes), as they came from the network, and the pieces that they
bring: (second, kind, tokens). Seconds count from the moment in which the request was due and sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

STREAM = "text/event-stream; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Golden:
    name: str
    reads: tuple[tuple[float, bytes], ...]
    pieces: tuple[tuple[float, str, int], ...]
    outcome: str = "ok"
    counted: str = "events"
    answer_tokens: int | None = None
    """The server's own count."""
    cached_tokens: int | None = None
    finish: str = "stop"
    wanted: str = "stream"
    content_type: str = STREAM
    failure: str | None = None
    """Why the exchange ended before the body did."""
    error: str = ""
    text: str = ""
    """What a person reads; empty where nobody asks."""


def event(body: object) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def delta(finish: str | None = None, *, usage: dict | None = None, **fields: object) -> bytes:
    body: dict = {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}
    return event(body | ({"usage": usage} if usage else {}))


def usage(completion: int, prompt: int = 7, **details: object) -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion, **details}})


ROLE = delta(role="assistant", content="")
STOP = delta("stop")
DONE = b"data: [DONE]\n\n"
END = STOP + DONE


def a(text: str, **more: object) -> bytes:
    return delta(content=text, **more)


def thought(text: str) -> bytes:
    return delta(reasoning_content=text)


def legacy(text: str, finish: str | None = None) -> bytes:
    return event({"choices": [{"index": 0, "text": text, "finish_reason": finish}]})


def logged(text: str, tokens: int) -> bytes:
    listed = [{"token": "x", "logprob": -0.1} for _ in range(tokens)]
    return event({"choices": [{"delta": {"content": text}, "logprobs": {"content": listed}, "finish_reason": None}]})


CALL = delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}])
ARGUMENT = delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a":'}}])
WORLD = a("世界 🌍")
FIELDS = b'\xef\xbb\xbfid: 1\nretry: 5\nevent: message\ndata: {"choices": [{"delta":\ndata: {"content": "a"}}]}\n\n'

GOLDEN = (
    Golden(
        name="role chunk, tokens, finish, usage, done",
        reads=((0.1, ROLE), (0.2, a("Hello")), (0.25, a(" world")), (0.3, STOP), (0.31, usage(2) + DONE)),
        pieces=(
            *((0.1, "role", 0), (0.2, "content", 1), (0.25, "content", 1), (0.3, "finish", 0)),
            *((0.31, "usage", 0), (0.31, "done", 0)),
        ),
        counted="server",
        answer_tokens=2,
        text="Hello world",
    ),
    Golden(
        name="no role chunk: the first read brings a token",
        reads=((0.2, a("Hi")), (0.3, END)),
        pieces=((0.2, "content", 1), (0.3, "finish", 0), (0.3, "done", 0)),
    ),
    Golden(
        name="empty deltas between tokens are no tokens",
        reads=((0.1, a("a")), (0.2, a("")), (0.3, delta()), (0.4, delta(content=None)), (0.5, a("b")), (0.6, END)),
        pieces=(
            *((0.1, "content", 1), (0.2, "role", 0), (0.3, "role", 0), (0.4, "role", 0), (0.5, "content", 1)),
            *((0.6, "finish", 0), (0.6, "done", 0)),
        ),
    ),
    Golden(
        name="one token",
        reads=((0.2, a("Yes")), (0.2, STOP), (0.2, usage(1) + DONE)),
        pieces=((0.2, "content", 1), (0.2, "finish", 0), (0.2, "usage", 0), (0.2, "done", 0)),
        counted="server",
        answer_tokens=1,
    ),
    Golden(
        name="the last text and the finish reason in one event",
        reads=((0.1, a("a")), (0.2, delta("length", content="b")), (0.2, DONE)),
        pieces=((0.1, "content", 1), (0.2, "content", 1), (0.2, "done", 0)),
        finish="length",
    ),
    Golden(
        # 8 tokens in 3 events: 8/3 is 2, 5 1/3, 8 when summed up, so 2, 3 and 3.
        name="several tokens in an event: the server's total is spread",
        reads=(
            (0.1, ROLE),
            (0.2, a("one two")),
            (0.4, a(" three four")),
            (0.6, a(" five")),
            (0.6, STOP + usage(8) + DONE),
        ),
        pieces=(
            *((0.1, "role", 0), (0.2, "content", 2), (0.4, "content", 3), (0.6, "content", 3)),
            *((0.6, "finish", 0), (0.6, "usage", 0), (0.6, "done", 0)),
        ),
        counted="spread",
        answer_tokens=8,
    ),
    Golden(
        # vLLM counts the token that ends the text, which has none: it goes to the last event.
        name="one token more than events belongs to the last",
        reads=((0.1, a("a")), (0.2, a("b")), (0.3, STOP + usage(3) + DONE)),
        pieces=(*((0.1, "content", 1), (0.2, "content", 2), (0.3, "finish", 0), (0.3, "usage", 0), (0.3, "done", 0)),),
        counted="spread",
        answer_tokens=3,
    ),
    Golden(
        name="fewer tokens than events: each event keeps its one",
        reads=((0.1, a("a")), (0.2, a("b")), (0.3, a("c")), (0.3, STOP + usage(2) + DONE)),
        pieces=(
            *((0.1, "content", 1), (0.2, "content", 1), (0.3, "content", 1), (0.3, "finish", 0), (0.3, "usage", 0)),
            (0.3, "done", 0),
        ),
        counted="apart",
        answer_tokens=2,
    ),
    Golden(
        name="usage that runs along says what each event brought",
        reads=(
            (0.1, a("a b c", usage={"prompt_tokens": 7, "completion_tokens": 3})),
            (0.2, a("d", usage={"prompt_tokens": 7, "completion_tokens": 4})),
            (0.3, delta("stop", usage={"prompt_tokens": 7, "completion_tokens": 4})),
            (0.3, DONE),
        ),
        pieces=((0.1, "content", 3), (0.2, "content", 1), (0.3, "finish", 0), (0.3, "done", 0)),
        counted="server",
        answer_tokens=4,
    ),
    Golden(
        name="log probabilities say what each event brought",
        reads=((0.1, logged("a b", 2)), (0.2, logged("c d e", 3)), (0.3, STOP + usage(5) + DONE)),
        pieces=(*((0.1, "content", 2), (0.2, "content", 3), (0.3, "finish", 0), (0.3, "usage", 0), (0.3, "done", 0)),),
        counted="server",
        answer_tokens=5,
    ),
    Golden(
        name="reasoning, then what is visible",
        reads=((0.1, thought("hm")), (0.2, thought("so")), (5.0, a("Yes")), (5.1, END)),
        pieces=(
            (0.1, "reasoning", 1),
            (0.2, "reasoning", 1),
            (5.0, "content", 1),
            (5.1, "finish", 0),
            (5.1, "done", 0),
        ),
    ),
    Golden(
        name="reasoning by its other name",
        reads=((0.1, delta(reasoning="hm")), (0.3, a("Yes")), (0.4, END)),
        pieces=((0.1, "reasoning", 1), (0.3, "content", 1), (0.4, "finish", 0), (0.4, "done", 0)),
    ),
    Golden(
        # 10 tokens, 8 of them thoughts in 2 events, 2 of them in 1 visible event.
        name="reasoning tokens are spread over reasoning alone",
        reads=(
            *((0.1, thought("hm")), (0.2, thought("so")), (0.3, a("Yes"))),
            (0.4, STOP + usage(10, completion_tokens_details={"reasoning_tokens": 8}) + DONE),
        ),
        pieces=(
            *((0.1, "reasoning", 4), (0.2, "reasoning", 4), (0.3, "content", 2)),
            *((0.4, "finish", 0), (0.4, "usage", 0), (0.4, "done", 0)),
        ),
        counted="spread",
        answer_tokens=10,
    ),
    Golden(
        name="reasoning that is not shown belongs to no event",
        reads=(
            *((9.0, a("Yes")), (9.1, a("!"))),
            (9.2, STOP + usage(102, completion_tokens_details={"reasoning_tokens": 100}) + DONE),
        ),
        pieces=(*((9.0, "content", 1), (9.1, "content", 1), (9.2, "finish", 0), (9.2, "usage", 0), (9.2, "done", 0)),),
        counted="server",
        answer_tokens=102,
    ),
    Golden(
        name="tool calls",
        reads=((0.1, ROLE), (0.2, CALL), (0.3, ARGUMENT), (0.4, ARGUMENT), (0.5, delta("tool_calls")), (0.5, DONE)),
        pieces=(
            *((0.1, "role", 0), (0.2, "tool", 1), (0.3, "tool", 1), (0.4, "tool", 1)),
            *((0.5, "finish", 0), (0.5, "done", 0)),
        ),
        finish="tool_calls",
    ),
    Golden(
        name="comments keep the connection awake",
        reads=((0.1, b": ping\n\n"), (1.1, b": ping\n\n"), (2.0, a("a")), (3.0, b":\n\n"), (3.5, a("b")), (3.6, END)),
        pieces=(
            *((0.1, "ping", 0), (1.1, "ping", 0), (2.0, "content", 1), (3.0, "ping", 0), (3.5, "content", 1)),
            *((3.6, "finish", 0), (3.6, "done", 0)),
        ),
    ),
    Golden(
        name="CRLF at the ends of lines",
        reads=tuple((t, data.replace(b"\n", b"\r\n")) for t, data in ((0.1, ROLE), (0.2, a("a")), (0.3, END))),
        pieces=((0.1, "role", 0), (0.2, "content", 1), (0.3, "finish", 0), (0.3, "done", 0)),
    ),
    Golden(
        name="a line end cut between CR and LF",
        reads=((0.1, a("a").replace(b"\n", b"\r\n")[:-1]), (0.2, b"\n" + a("b")), (0.3, END)),
        pieces=((0.1, "content", 1), (0.2, "content", 1), (0.3, "finish", 0), (0.3, "done", 0)),
    ),
    Golden(
        # The globe is four bytes long; the second read brings its last two.
        name="a character cut in two",
        reads=((0.1, WORLD[: WORLD.index(b"\xf0") + 2]), (0.2, WORLD[WORLD.index(b"\xf0") + 2 :]), (0.3, END)),
        pieces=((0.2, "content", 1), (0.3, "finish", 0), (0.3, "done", 0)),
        text="世界 🌍",
    ),
    Golden(
        name="an event cut in three has the time of its last byte",
        reads=((0.1, a("word")[:9]), (0.2, a("word")[9:30]), (0.3, a("word")[30:]), (0.4, END)),
        pieces=((0.3, "content", 1), (0.4, "finish", 0), (0.4, "done", 0)),
    ),
    Golden(
        name="several events in one read arrived together",
        reads=((0.1, ROLE + a("a") + a("b")), (0.5, a("c") + a("d") + a("e")), (0.6, END)),
        pieces=(
            *((0.1, "role", 0), (0.1, "content", 1), (0.1, "content", 1)),
            *((0.5, "content", 1), (0.5, "content", 1), (0.5, "content", 1), (0.6, "finish", 0), (0.6, "done", 0)),
        ),
    ),
    Golden(
        name="fields, a byte order mark and data over two lines",
        reads=(
            (0.1, FIELDS),
            (0.2, END.replace(b"data: ", b"data:")),
        ),
        pieces=((0.1, "content", 1), (0.2, "finish", 0), (0.2, "done", 0)),
    ),
    Golden(
        name="plain completions",
        reads=((0.1, legacy("a")), (0.2, legacy("b", "length")), (0.2, DONE)),
        pieces=((0.1, "content", 1), (0.2, "content", 1), (0.2, "done", 0)),
        finish="length",
    ),
    Golden(
        name="cached tokens of the prompt",
        reads=((0.1, a("a")), (0.2, STOP + usage(1, 1200, prompt_tokens_details={"cached_tokens": 1024}) + DONE)),
        pieces=((0.1, "content", 1), (0.2, "finish", 0), (0.2, "usage", 0), (0.2, "done", 0)),
        counted="server",
        answer_tokens=1,
        cached_tokens=1024,
    ),
    Golden(
        name="no [DONE] at the end",
        reads=((0.1, a("a")), (0.2, STOP)),
        pieces=((0.1, "content", 1), (0.2, "finish", 0)),
        outcome="cut",
        error="without [DONE]",
    ),
    Golden(
        name="[DONE] without its blank line",
        reads=((0.1, a("a")), (0.2, STOP), (0.3, b"data: [DONE]")),
        pieces=((0.1, "content", 1), (0.2, "finish", 0), (0.3, "done", 0)),
    ),
    Golden(
        name="an error in the middle",
        reads=((0.1, a("a")), (0.2, event({"error": {"message": "engine died", "code": 500}})), (0.3, DONE)),
        pieces=((0.1, "content", 1), (0.2, "error", 0), (0.3, "done", 0)),
        outcome="cut",
        finish="",
        error="engine died",
    ),
    Golden(
        name="cut in the middle of an event",
        reads=((0.1, a("a")), (0.2, a("b")), (0.3, a("c")[:20])),
        pieces=((0.1, "content", 1), (0.2, "content", 1)),
        outcome="cut",
        finish="",
        failure="cut",
        error="closed before the end of the body",
    ),
    Golden(
        name="a stall of two seconds",
        reads=((0.1, a("a")), (0.2, a("b")), (2.2, a("c")), (2.3, END)),
        pieces=((0.1, "content", 1), (0.2, "content", 1), (2.2, "content", 1), (2.3, "finish", 0), (2.3, "done", 0)),
    ),
    Golden(
        name="a stall without an end",
        reads=((0.1, ROLE), (0.2, a("a"))),
        pieces=((0.1, "role", 0), (0.2, "content", 1)),
        outcome="timeout",
        finish="",
        failure="timeout",
        error="no byte after the last within 5s",
    ),
    Golden(
        name="an answer without a token",
        reads=((0.1, ROLE), (0.2, STOP + usage(0) + DONE)),
        pieces=((0.1, "role", 0), (0.2, "finish", 0), (0.2, "usage", 0), (0.2, "done", 0)),
        outcome="malformed",
        counted="server",
        answer_tokens=0,
        error="no token",
    ),
    Golden(
        name="an event that is no JSON ends what can be read",
        reads=((0.1, a("a")), (0.2, b"data: {oops\n\n"), (0.3, a("b") + END)),
        pieces=((0.1, "content", 1),),
        outcome="malformed",
        finish="",
        error="not JSON",
    ),
    Golden(
        name="a whole answer where a stream was asked for",
        reads=((0.9, json.dumps({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}).encode()),),
        pieces=((0.9, "content", 1),),
        outcome="malformed",
        content_type=JSON,
        error="not an event stream but application/json",
    ),
    Golden(
        # All twelve came at once, with the last byte.
        name="a whole answer that was asked for",
        reads=(
            (
                0.5,
                b'{"choices": [{"message": {"role": "assistant", "content": "Hi there"}, "finish_reason": "stop"}], ',
            ),
            (0.9, b'"usage": {"prompt_tokens": 7, "completion_tokens": 12}}'),
        ),
        pieces=((0.9, "content", 12),),
        counted="server",
        answer_tokens=12,
        content_type=JSON,
        wanted="text",
        text="Hi there",
    ),
    Golden(
        name="embeddings: an answer without tokens",
        reads=((0.4, b'{"data": [{"embedding": [0.1, -2]}], "usage": {"prompt_tokens": 7, "total_tokens": 7}}'),),
        pieces=((0.4, "content", 0),),
        counted="server",
        answer_tokens=0,
        finish="",
        content_type=JSON,
        wanted="vectors",
    ),
    Golden(
        name="embeddings that hold no number",
        reads=((0.4, b'{"data": [{"embedding": [0.1, null]}]}'),),
        pieces=(),
        outcome="malformed",
        finish="",
        content_type=JSON,
        wanted="vectors",
        error="not a list of numbers",
    ),
    Golden(
        name="a page of text",
        reads=((0.1, b"<html>welcome</html>"),),
        pieces=(),
        outcome="malformed",
        finish="",
        content_type="text/html",
        error="not an event stream but text/html",
    ),
)
