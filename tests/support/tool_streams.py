"""Answers as bytes on a clock, each with one thing in it on which tools disagree; all times in milliseconds.

Unless it says otherwise a request is due at 0, sent at 10 and written at 12. A token is one character, and an event of
several says so (`token_ids`), so that who counts characters and who trusts the server agree.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from holdfast.load.outcome import outcome_of
from holdfast.load.spread import spread
from holdfast.load.sse import read_answer
from holdfast.model.stream import Piece, Stream

SSE = "text/event-stream"


def event(body, end="\n\n"):
    return f"data: {json.dumps(body, ensure_ascii=False)}{end}".encode()


def chunk(delta, *, finish=None, usage=None, end="\n\n"):
    count = sum(len(delta.get(key) or "") for key in ("content", "reasoning_content"))
    choice = {"index": 0, "delta": delta, "finish_reason": finish} | ({"token_ids": [0] * count} if count > 1 else {})
    body = {"id": "1", "object": "chat.completion.chunk", "choices": [choice]}
    return event(body | ({"usage": usage} if usage else {}), end)


def text(words, **more):
    return chunk({"content": words}, **more)


def think(words):
    return chunk({"reasoning_content": words})


def call(words):
    return chunk({"tool_calls": [{"index": 0, "function": {"name": words, "arguments": ""}}]})


def counts(prompt, answer):
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def usage(answer, end="\n\n"):
    return event({"id": "1", "object": "chat.completion.chunk", "choices": [], "usage": counts(7, answer)}, end)


ROLE, EMPTY, FINISH = chunk({"role": "assistant"}), chunk({"content": ""}), chunk({}, finish="stop")
PING, DONE = b": ping\n\n", b"data: [DONE]\n\n"
ERROR = event({"error": {"message": "out of memory", "code": 500}})


@dataclass(frozen=True, kw_only=True)
class Golden:
    """One exchange: what each read returned and when, in milliseconds; `broken` is how HTTP ended early, if it did."""

    name: str
    reads: tuple[tuple[int, bytes], ...]
    ended: int
    due: int = 0
    sent: int = 10
    written: int = 12
    status: int | None = 200
    content_type: str = SSE
    broken: str = ""


@dataclass(frozen=True)
class _Ended:
    status: int | None
    content_type: str
    failure: str | None
    error: str
    body: bytes


def stream_of(golden: Golden, number: int = 1) -> Stream:
    """The stream that the load engine makes of it."""
    reads = [(at / 1000, data) for at, data in golden.reads]
    body = b"".join(data for _, data in reads)
    common = {
        "id": number,
        **{name: getattr(golden, name) / 1000 for name in ("due", "sent", "written", "ended")},
        "status": golden.status,
    }
    if golden.content_type != SSE:
        return Stream(**common, **_of_body(golden, body))
    answer = read_answer(reads)
    failure = {"reset": "cut", "silence": "timeout"}.get(golden.broken)
    words = {"reset": "closed before the end of the body", "silence": "no first byte within 1s"}.get(golden.broken, "")
    outcome, error = outcome_of(_Ended(golden.status, golden.content_type, failure, words, body), answer)
    tokens, _ = spread(answer)
    said = answer.usage or {}
    return Stream(
        **common,
        pieces=answer.pieces(tokens),
        outcome=outcome,
        error=error,
        prompt_tokens=said.get("prompt_tokens"),
        answer_tokens=said.get("completion_tokens"),
    )


def _of_body(golden, body):
    if golden.status != 200:
        return {"outcome": "rejected", "error": f"{golden.status}: slow down"}
    said = json.loads(body)["usage"]
    piece = Piece(t=golden.reads[-1][0] / 1000, kind="content", tokens=said.get("completion_tokens") or 1)
    return {
        "pieces": (piece,),
        "prompt_tokens": said["prompt_tokens"],
        "answer_tokens": said.get("completion_tokens"),
    }


def _whole(answer):
    message = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    body = {"id": "1", "object": "chat.completion", "choices": [message], "usage": counts(7, len(answer))}
    return json.dumps(body).encode()


def _vector():
    body = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]}
    return json.dumps(body | {"usage": {"prompt_tokens": 7, "total_tokens": 7}}).encode()


def _completion(words, finish=None):
    choices = [{"index": 0, "text": words, "finish_reason": finish}]
    return event({"id": "1", "object": "text_completion", "choices": choices})


def _accented():
    whole = text("é")
    middle = whole.index("é".encode()) + 1
    return whole[:middle], whole[middle:]


def _crlf(data):
    return data.replace(b"\n", b"\r\n")


def _end(tokens):
    """Finish reason, usage and [DONE] in one read, as vLLM sends them."""
    return FINISH + usage(tokens) + DONE


_HALF, _OTHER = _accented()
GOLDENS = (
    Golden(name="text", reads=((100, text("a")), (200, text("b")), (300, text("c")), (310, _end(3))), ended=310),
    Golden(name="role first", reads=((50, ROLE), (100, text("a")), (200, text("b")), (210, _end(2))), ended=210),
    Golden(name="empty delta", reads=((60, EMPTY), (100, text("a")), (200, text("b")), (210, _end(2))), ended=210),
    Golden(
        name="empty delta inside",
        reads=((100, text("a")), (150, EMPTY), (200, text("b")), (210, _end(2))),
        ended=210,
    ),
    Golden(name="several tokens", reads=((100, text("abcd")), (300, text("efgh")), (310, _end(8))), ended=310),
    Golden(name="one chunk of many", reads=((100, text("abcd")), (110, _end(4))), ended=110),
    Golden(
        name="finish with text",
        reads=((100, text("a")), (200, text("b", finish="stop")), (200, usage(2) + DONE)),
        ended=200,
    ),
    Golden(
        name="usage running along",
        reads=(
            (100, text("ab", usage=counts(7, 2))),
            (200, text("c", usage=counts(7, 3))),
            (210, FINISH + usage(3) + DONE),
        ),
        ended=210,
    ),
    Golden(
        name="reasoning",
        reads=((100, think("x")), (200, think("y")), (500, text("a")), (600, text("b")), (610, _end(4))),
        ended=610,
    ),
    Golden(name="reasoning alone", reads=((100, think("x")), (200, think("y")), (210, _end(2))), ended=210),
    Golden(name="tool call", reads=((100, call("f")), (200, call("g")), (210, _end(2))), ended=210),
    Golden(
        name="text then tool call",
        reads=((100, text("a")), (200, text("b")), (300, call("f")), (310, _end(3))),
        ended=310,
    ),
    Golden(name="no usage", reads=((100, text("a")), (200, text("b")), (210, FINISH + DONE)), ended=210),
    Golden(
        name="pings",
        reads=((50, PING), (100, PING + text("a")), (200, PING + text("b")), (210, _end(2))),
        ended=210,
    ),
    Golden(
        name="crlf",
        reads=((100, _crlf(text("a"))), (200, _crlf(text("b"))), (210, _crlf(_end(2)))),
        ended=210,
    ),
    Golden(
        name="split utf-8",
        reads=((100, _HALF), (120, _OTHER), (220, text("b")), (230, _end(2))),
        ended=230,
    ),
    Golden(
        name="split event",
        reads=((90, text("a")[:20]), (100, text("a")[20:]), (200, text("b")), (210, _end(2))),
        ended=210,
    ),
    Golden(
        name="coalesced",
        reads=((100, text("a") + text("b") + text("c")), (200, text("d") + text("e") + _end(5))),
        ended=200,
    ),
    Golden(name="no done", reads=((100, text("a")), (200, text("b")), (210, FINISH + usage(2))), ended=220),
    Golden(name="done, then a late end", reads=((100, text("a")), (200, text("b")), (210, _end(2))), ended=450),
    Golden(name="error inside", reads=((100, text("a")), (200, text("b")), (250, ERROR + DONE)), ended=250),
    Golden(name="cut", reads=((100, text("a")), (200, text("b"))), ended=250, broken="reset"),
    Golden(
        name="stall",
        reads=((100, text("a")), (110, text("b")), (1110, text("c")), (1120, text("d")), (1130, _end(4))),
        ended=1130,
    ),
    Golden(name="one token", reads=((100, text("a")), (110, _end(1))), ended=110),
    Golden(name="no token", reads=((50, ROLE), (60, _end(0))), ended=60),
    Golden(name="plain body", reads=((210, _whole("abcd")),), ended=210, content_type="application/json"),
    Golden(name="embeddings", reads=((80, _vector()),), ended=80, content_type="application/json"),
    Golden(
        name="completions",
        reads=((100, _completion("a")), (200, _completion("b", "stop")), (210, usage(2) + DONE)),
        ended=210,
    ),
    Golden(
        name="rejected", reads=((30, b'{"error": "slow down"}'),), ended=30, status=429, content_type="application/json"
    ),
    Golden(name="silence", reads=(), ended=1010, status=None, broken="silence"),
    Golden(
        name="sent late",
        reads=((600, text("a")), (700, text("b")), (710, _end(2))),
        ended=710,
        sent=510,
        written=512,
    ),
    Golden(
        name="slow connection",
        reads=((200, text("a")), (300, text("b")), (310, _end(2))),
        ended=310,
        written=110,
    ),
)
STREAMS = {golden.name: stream_of(golden, number) for number, golden in enumerate(GOLDENS, 1)}
