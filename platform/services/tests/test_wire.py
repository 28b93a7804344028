"""Texts in and out: requests read, events counted however they are cut, keys looked up, calibrations refused."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.engine.answers import answer_tokens, count_tokens
from refplatform.engine.calibration import read_calibration
from refplatform.engine.scheduler import Sequence, Step
from refplatform.engine.wire import BadAskError, Frames, compose, read_ask, whole
from refplatform.gateway.keys import Keys, read_keys
from refplatform.gateway.sse import EventCounter

LAPTOP = Path(__file__).parents[2] / "local" / "calibrations" / "laptop.json"


def answer(*, chat=True, tokens=7, usage=False):
    body = {"model": "m", "max_tokens": tokens, "stream": True, "stream_options": {"include_usage": usage}}
    body |= {"messages": [{"role": "user", "content": "hi"}]} if chat else {"prompt": "hi"}
    ask = read_ask(json.dumps(body).encode(), chat=chat, model="m", max_model_len=100)
    return compose(ask, seed=1, identity="x", created=0, max_model_len=100)


def sse(given_answer):
    frames = Frames(given_answer)
    tokens = [frames.token(index) for index in range(len(given_answer.tokens))]
    return frames.opening() + b"".join(tokens) + frames.closing()


@given(st.booleans(), st.integers(1, 20), st.booleans(), st.lists(st.integers(0, 4000), max_size=12))
def test_tokens_are_counted_right_wherever_the_bytes_are_cut(chat, tokens, usage, cuts):
    stream = sse(answer(chat=chat, tokens=tokens, usage=usage))
    counter, edges = EventCounter(), [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for begin, end in pairwise(edges):
        counter.feed(stream[begin:end])
    assert (counter.tokens, counter.done, counter.failed, counter.rest) == (tokens, True, False, b"")
    assert counter.finished


def test_text_that_quotes_the_wire_format_counts_as_one_token():
    event = {"choices": [{"index": 0, "delta": {"content": '"content":"x" data: [DONE]\n\n{"error"'}}]}
    counter = EventCounter()
    counter.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    assert counter.tokens == 1
    assert not counter.failed


def test_an_error_event_is_seen():
    counter = EventCounter()
    counter.feed(b'data: {"choices":[]}\n\ndata: {"error": {"message": "x"}}\n\n')
    assert counter.failed


def test_streamed_and_whole_answers_say_the_same():
    given_answer = answer()
    deltas = [
        json.loads(event[6:])["choices"][0]["delta"]["content"]
        for event in sse(given_answer).decode().split("\n\n")
        if event and "[DONE]" not in event
    ]
    assert "".join(deltas) == json.loads(whole(given_answer))["choices"][0]["message"]["content"]
    assert len([delta for delta in deltas if delta]) == 7


@given(st.integers(), st.text(), st.integers(1, 50), st.integers(1, 50))
def test_the_same_seed_and_prompt_give_the_same_answer_and_a_longer_one_begins_with_it(seed, prompt, short, more):
    assert answer_tokens(seed, prompt, short + more)[:short] == answer_tokens(seed, prompt, short)


def test_an_answer_without_a_limit_ends_by_itself_within_the_context():
    ask = read_ask(b'{"prompt": "hi"}', chat=False, model="m", max_model_len=20)
    given_answer = compose(ask, seed=1, identity="x", created=0, max_model_len=20)
    assert given_answer.finish_reason == "stop"
    assert len(given_answer.tokens) <= 20 - count_tokens("hi")


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (b'{"model": "other", "messages": []}', 404, "model"),
        (b'{"messages": []}', 400, "messages"),
        (b'{"messages": [{"role": "user"}]}', 400, "messages"),
        (b'{"messages": [{"role": "user", "content": [{"type": "text"}]}]}', 400, "messages"),
        (b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": 0}', 400, "max_tokens"),
        (b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": true}', 400, "max_tokens"),
        (b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": 100}', 400, "max_tokens"),
        (b'{"messages": [{"role": "user", "content": "x"}], "n": 2}', 400, "n"),
        (b'{"messages": [{"role": "user", "content": "x"}], "stream": 1}', 400, "stream"),
        (b'{"messages": [{"role": "user", "content": "x"}], "stream_options": {}}', 400, "stream_options"),
    ],
)
def test_a_request_that_cannot_be_served_says_which_parameter_is_wrong(body, status, param):
    with pytest.raises(BadAskError) as caught:
        read_ask(body, chat=True, model="m", max_model_len=100)
    assert (caught.value.status, caught.value.param) == (status, param)


def test_prompts_come_as_text_as_one_text_in_a_list_or_as_token_ids():
    sizes = [
        read_ask(json.dumps({"prompt": prompt}).encode(), chat=False, model="m", max_model_len=100).prompt_tokens
        for prompt in ("12345678", ["12345678"], [5, 6, 7])
    ]
    assert sizes == [2, 2, 3]  # 8 characters / 4 = 2 tokens; ids count themselves


def test_keys_are_looked_up_by_the_whole_authorization_header():
    keys = Keys({"sk-1": "acme"})
    assert keys.tenant(b"Bearer sk-1") == keys.tenant(b"bearer sk-1") == "acme"
    assert [keys.tenant(value) for value in (b"", b"sk-1", b"Bearer ", b"Basic sk-1", b"Bearer sk-12")] == [None] * 5


def test_a_bad_key_file_is_refused_without_quoting_a_key(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text('{"sk-secret": 1}')
    with pytest.raises(ValueError, match="expected a JSON object") as caught:
        read_keys(path)
    assert "sk-secret" not in str(caught.value)


def test_the_laptop_calibration_holds_a_peak_of_four_requests_a_second_on_each_engine():
    calibration = read_calibration(LAPTOP)
    step = Step(tuple((Sequence(300, 60), 1) for _ in range(16)), 0, 16 * 330)
    # A full step of decodes takes 10 + 16 * 0.35 + 5280 * 0.0001 = 16.128 ms.
    decode = calibration.step_seconds(step)
    assert decode == pytest.approx(0.016128)
    # One request costs 300 * 0.2 ms = 60 ms of prefill and 60 tokens of a sixteenth of a step: 60.5 ms; so 8.3/s.
    most = 1 / (300 * calibration.c_prefill + 60 * decode / 16)
    assert most == pytest.approx(8.3, abs=0.1)
    assert 4 < most < 3 * 4  # holds the peak, and even twice that without one engine; not three times


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"max_num_batched_tokens": 16}, "must exceed max_num_seqs"),
        ({"c0": 0}, "c0 must be positive"),
        ({"c0": "fast"}, "c0 must be float"),
        ({"colour": "red"}, "unknown keys"),
    ],
)
def test_an_absurd_calibration_is_refused(tmp_path, change, match):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(json.loads(LAPTOP.read_text()) | change))
    with pytest.raises(ValueError, match=match):
        read_calibration(path)
