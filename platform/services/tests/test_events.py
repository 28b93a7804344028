"""Answers as events, which somebody may hold back, change or drop: the same bytes as the fast path when nobody does."""

import asyncio
import json
import time

import pytest

from refplatform.engine.api import EngineApp
from refplatform.engine.calibration import Calibration
from refplatform.engine.live import LiveEngine
from refplatform.engine.metrics import EngineMetrics
from refplatform.engine.models import Models
from refplatform.engine.wire.ask import Mind
from refplatform.engine.wire.events import Event

CALIBRATION = Calibration(
    name="test",
    max_num_seqs=8,
    max_num_batched_tokens=256,
    max_model_len=1000,
    kv_cache_tokens=16000,
    c0=0.001,
    c_prefill=0.0,
    c_kv=0.0,
    c_seq=0.0,
)
BODY = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "request_id": "same"}


def served(faults=None, sleep_after=None, **extra):
    """The ASGI messages with which an engine answers one request."""

    async def play():
        metrics = EngineMetrics("m")
        engine = LiveEngine(CALIBRATION, metrics, clock=time.monotonic)
        models = Models(base="m", max_model_len=1000)
        app = EngineApp(engine, metrics, models, mind=Mind(seed=1), wall=lambda: 0.0, faults=faults)
        sent, gone = [], asyncio.Event()
        requests = [{"type": "http.request", "body": json.dumps(BODY | extra).encode()}]

        async def receive():
            if not requests:
                await gone.wait()
            return requests.pop()

        async def send(message):
            sent.append(message)

        stepping = asyncio.create_task(engine.run())
        if sleep_after is not None:
            asyncio.get_running_loop().call_later(sleep_after, engine.sleep, 1)
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions"}
        await app(scope | {"headers": [(b"content-type", b"application/json")]}, receive, send)
        stepping.cancel()
        return sent

    return asyncio.run(play())


def body(messages):
    return b"".join(message.get("body", b"") for message in messages)


class Shaped:
    """Shapes every answer with one function from events to events."""

    def __init__(self, shape):
        self._shape = shape

    def of(self, _answer, _headers):
        return self._shape


async def untouched(events):
    async for event in events:
        yield event


@pytest.mark.parametrize("extra", [{"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, {}])
def test_events_that_nobody_touches_are_the_bytes_of_the_fast_path(extra):
    assert body(served(Shaped(untouched), **extra)) == body(served(**extra))


def test_events_say_what_they_are_so_that_they_can_be_dropped_held_back_and_changed():
    kinds = []

    async def mute(events):
        async for event in events:
            kinds.append(event.kind)
            if event.kind == "finish":
                yield Event("finish", b'data: {"error": {"message": "lost"}}\n\n')
            elif event.kind != "done":
                yield event

    said = body(served(Shaped(mute), stream=True, stream_options={"include_usage": True}))
    assert kinds == ["opening", *["token"] * 4, "finish", "usage", "done"]
    assert b"lost" in said
    assert b"[DONE]" not in said


def test_a_whole_answer_is_one_event():
    async def empty(events):
        async for event in events:
            assert event.kind == "whole"
            yield Event("whole", b"")

    assert body(served(Shaped(empty))) == b""


def test_several_answers_run_beside_each_other_in_one_stream():
    events = [json.loads(one[6:]) for one in body(served(stream=True, n=2)).decode().split("\n\n")[:-2]]
    indexes = [event["choices"][0]["index"] for event in events]
    assert indexes == [0, 1] * 6  # two roles, then the tokens of each step, which they share


@pytest.mark.parametrize("n", [1, 2])
def test_a_stream_whose_engine_is_put_to_sleep_is_ended(n):
    sent = served(sleep_after=0.05, stream=True, n=n, max_tokens=900)
    assert sent[0]["status"] == 200
    assert sent[-1]["more_body"] is False


def test_who_waits_for_a_whole_answer_of_an_engine_that_is_put_to_sleep_gets_503():
    assert served(sleep_after=0.02, max_tokens=900)[0]["status"] == 503
