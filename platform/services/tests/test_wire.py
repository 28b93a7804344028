"""Texts in and out: requests read, events counted however they are cut, keys looked up."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.engine.models import Models
from refplatform.engine.wire.ask import Mind
from refplatform.engine.wire.ask import answer as answer_to
from refplatform.engine.wire.errors import BadAskError
from refplatform.engine.wire.frames import Frames
from refplatform.engine.wire.whole import whole
from refplatform.gateway.keys import Keys, read_keys
from refplatform.gateway.sse import EventCounter

GOLDEN = Path(__file__).parent / "golden" / "wire.txt"
LIMIT = 100
HI = [{"role": "user", "content": "hi"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_tide",
        "parameters": {
            "type": "object",
            "properties": {"bay": {"type": "string"}, "day": {"type": "integer", "minimum": 1, "maximum": 31}},
        },
    },
}


def read(body, *, chat=True, limit=LIMIT, **mind):
    """The answer to a body (a dict, or bytes as they are)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    models = Models(base="m", max_model_len=limit, adapters={"tuned": "/tuned"})
    return answer_to(raw, chat=chat, models=models, mind=Mind(**{"seed": 1} | mind), identity="x", created=0)


def answer(*, chat=True, tokens=7, usage=False, **extra):
    body = {"model": "m", "max_tokens": tokens, "stream": True, "stream_options": {"include_usage": usage}}
    return read(body | ({"messages": HI} if chat else {"prompt": "hi"}) | extra, chat=chat)


def sse(given_answer, index=0):
    frames = Frames(given_answer, given_answer.choices[index])
    return frames.opening() + frames.tokens(0, frames.last + 1) + frames.closing()


def chunks(given_answer, index=0):
    return [json.loads(event[6:]) for event in sse(given_answer, index).decode().split("\n\n")[:-2]]


@given(st.booleans(), st.integers(1, 20), st.booleans(), st.lists(st.integers(0, 4000), max_size=12))
def test_tokens_are_counted_right_wherever_the_bytes_are_cut(chat, tokens, usage, cuts):
    stream = sse(answer(chat=chat, tokens=tokens, usage=usage))
    counter, edges = EventCounter(), [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for begin, end in pairwise(edges):
        counter.feed(stream[begin:end])
    assert (counter.tokens, counter.done, counter.failed, counter.rest) == (tokens, True, False, b"")
    assert counter.finished


@given(st.booleans(), st.integers(1, 9), st.lists(st.integers(0, 4000), max_size=12))
def test_what_passes_on_is_the_stream_itself_and_always_whole_events(chat, tokens, cuts):
    stream = sse(answer(chat=chat, tokens=tokens))
    counter, edges, passed = EventCounter(), [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)], b""
    for begin, end in pairwise(edges):
        passed += counter.feed(stream[begin:end])
        assert not passed or passed.endswith(b"\n\n")
        assert stream.startswith(passed)
    assert passed == stream


def test_an_opening_alone_is_no_beginning():
    counter = EventCounter()
    counter.feed(b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n: a remark\n\n')
    assert not counter.begun
    counter.feed(b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}\r\n\r\n')
    assert counter.begun


@pytest.mark.parametrize("broken", [b'data: {"choices":[{"ind', b"data: 5", b'data: {"choices":["x"]}'])
def test_what_cannot_be_read_does_not_pass_and_neither_does_anything_after_it(broken):
    counter, good = EventCounter(), b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    assert counter.feed(good + broken + b"\n\n" + good) == good
    assert counter.broken
    assert counter.feed(good) == b""


def test_an_answer_is_whole_when_each_of_its_choices_has_its_reason():
    counter = EventCounter()
    for index, reason in ((0, None), (1, None), (0, "stop")):
        choice = {"index": index, "delta": {"content": "a"}, "finish_reason": reason}
        counter.feed(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
    assert (counter.finished, counter.whole) == (True, False)
    counter.feed(b'data: {"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}\n\n')
    assert counter.whole


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


@pytest.mark.parametrize(
    "extra", [{}, {"logprobs": True, "top_logprobs": 2}, {"return_token_ids": True}, {"stop": "a"}]
)
def test_streamed_and_whole_answers_say_the_same(extra):
    given_answer = answer(tokens=30, **extra)
    deltas = [chunk["choices"][0]["delta"]["content"] for chunk in chunks(given_answer)]
    document = json.loads(whole(given_answer))["choices"][0]
    assert "".join(deltas) == document["message"]["content"]
    assert chunks(given_answer)[-1]["choices"][0]["finish_reason"] == document["finish_reason"]


@given(
    st.booleans(),
    st.booleans(),
    st.integers(1, 12),
    st.sampled_from([{}, {"response_format": {"type": "json_object"}}]),
)
def test_prepared_frames_are_those_that_are_written_field_by_field(chat, usage, tokens, extra):
    frames = Frames(one := answer(chat=chat, usage=usage, tokens=tokens, **extra), one.choices[0])
    assert frames.token == frames._word
    for index in range(frames.last + 1):
        assert frames.token(index) == frames._fields(index)


def test_the_bytes_of_a_stream_are_vllms():
    """What vLLM 0.33 writes for the same request, but for the text: its source, and a 0.32 that was listened to."""
    whole_streams = [
        sse(answer(tokens=2)),
        sse(answer(tokens=2, usage=True)),
        sse(answer(tokens=2, usage=True, chat=False)),
        sse(answer(tokens=1, stream_options={"include_usage": True, "continuous_usage_stats": True})),
        sse(answer(tokens=1, logprobs=True, top_logprobs=1)),
        sse(answer(tokens=1, logprobs=1, chat=False, echo=True)),
        sse(answer(tokens=20, tools=[TOOL], tool_choice="required")),
        whole(answer(tokens=2)) + b"\n",
        whole(answer(tokens=2, chat=False)) + b"\n",
        whole(answer(tokens=20, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "get_tide"}})),
    ]
    written = b"=====\n".join(whole_streams)
    if not GOLDEN.is_file():
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_bytes(written)
        pytest.fail(f"{GOLDEN} was missing and has been written: read it before you commit it")
    assert written == GOLDEN.read_bytes()


def test_an_answer_without_a_limit_ends_by_itself_within_the_context():
    said = read({"messages": HI}).choices[0].said
    assert said.finish_reason == "stop"
    assert 16 <= len(said.tokens) <= LIMIT - 5  # "user: hi" has 2 tokens, and 3 open the answer


def test_a_text_completion_without_a_limit_has_openais_16_tokens():
    said = read({"prompt": "hi"}, chat=False).choices[0].said
    assert (len(said.tokens), said.finish_reason) == (16, "length")


def test_more_than_the_context_leaves_is_cut_off_as_vllm_does():
    said = read({"messages": HI, "max_tokens": LIMIT}).choices[0].said
    assert (len(said.tokens), said.finish_reason) == (LIMIT - 5, "length")


def test_ignore_eos_without_a_limit_fills_the_context_and_min_tokens_is_kept():
    assert len(read({"messages": HI, "ignore_eos": True}).choices[0].said.tokens) == LIMIT - 5
    assert len(read({"messages": HI, "min_tokens": 90}).choices[0].said.tokens) == 90


SHAPE, VALUE = "Bad Request", "BadRequestError"


@pytest.mark.parametrize(
    ("body", "status", "kind", "param"),
    [
        (b"{", 400, SHAPE, "body"),
        (b"[]", 400, SHAPE, "body"),
        ({}, 400, SHAPE, "body.messages"),
        ({"messages": "x"}, 400, SHAPE, "body.messages"),
        ({"messages": [{"content": "x"}]}, 400, SHAPE, "body.messages.0.role"),
        ({"messages": HI, "max_tokens": "x"}, 400, SHAPE, "body.max_tokens"),
        ({"messages": HI, "stream": "x"}, 400, SHAPE, "body.stream"),
        ({"messages": HI, "seed": 2**64}, 400, SHAPE, "body.seed"),
        ({"messages": HI, "model": "other"}, 404, "NotFoundError", "model"),
        ({"messages": []}, 400, VALUE, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, VALUE, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 400}]}, 400, VALUE, "input_tokens"),
        ({"messages": HI, "max_tokens": 0}, 400, VALUE, "max_tokens"),
        ({"messages": HI, "max_tokens": LIMIT + 1}, 400, VALUE, "max_tokens"),
        ({"messages": HI, "min_tokens": 5, "max_tokens": 3}, 400, VALUE, "min_tokens"),
        ({"messages": HI, "n": 0}, 400, VALUE, "n"),
        ({"messages": HI, "stream_options": {"include_usage": True}}, 400, VALUE, "stream_options"),
        ({"messages": HI, "stop": [""]}, 400, VALUE, "stop"),
        ({"messages": HI, "temperature": 3}, 400, VALUE, "temperature"),
        ({"messages": HI, "top_p": 0}, 400, VALUE, "top_p"),
        ({"messages": HI, "top_logprobs": 2}, 400, VALUE, "top_logprobs"),
        ({"messages": HI, "logprobs": True, "top_logprobs": 21}, 400, VALUE, "logprobs"),
        ({"messages": HI, "cache_salt": ""}, 400, VALUE, "cache_salt"),
        ({"messages": HI, "response_format": {"type": "json_schema"}}, 400, VALUE, "response_format"),
        ({"messages": HI, "tools": []}, 400, VALUE, "tools"),
        ({"messages": HI, "tool_choice": "required"}, 400, VALUE, "tool_choice"),
        ({"messages": HI, "tools": [TOOL], "tool_choice": {"function": {"name": "x"}}}, 400, VALUE, "tool_choice"),
    ],
)
def test_a_request_that_cannot_be_served_says_which_parameter_is_wrong(body, status, kind, param):
    with pytest.raises(BadAskError) as caught:
        read(body)
    assert (caught.value.status, caught.value.kind, caught.value.param) == (status, kind, param)


def test_more_answers_than_can_be_made_in_a_moment_are_refused():
    assert len(read({"prompt": ["a"] * 64, "n": 64, "max_tokens": 1}, chat=False).choices) == 4096
    with pytest.raises(BadAskError, match="65 prompts of 64 answers are more than 4096"):
        read({"prompt": ["a"] * 65, "n": 64, "max_tokens": 1}, chat=False)


def test_an_answer_may_have_what_was_asked_for_or_what_the_context_leaves():
    for asked, most in ((7, 7), (LIMIT, LIMIT - 5), (None, LIMIT - 5)):
        assert read({"messages": HI, "max_tokens": asked, "stop": "a"}).choices[0].most == most


@pytest.mark.parametrize(
    ("prompt", "param"), [("", "prompt"), (None, "prompt"), ([], None), ([[]], None), ([2**33], None)]
)
def test_a_prompt_that_is_none_is_refused(prompt, param):
    with pytest.raises(BadAskError) as caught:
        read({"prompt": prompt}, chat=False)
    assert caught.value.param == param


def test_what_vllm_lets_pass_passes():
    lenient = {"messages": [{"role": "user"}], "max_tokens": True, "stream": 1, "priority": 5, "unheard_of": 3}
    assert read(lenient).body.stream is True


def test_prompts_come_as_text_as_lists_or_as_token_ids():
    asked = ["12345678", ["12345678"], [5, 6, 7], ["1234", "5678"], [[1], [2, 3]]]
    counts = [[len(choice.prompt.ids) for choice in read({"prompt": one}, chat=False).choices] for one in asked]
    assert counts == [[2], [2], [3], [1, 1], [1, 2]]  # 8 bytes are 2 tokens; ids count themselves


def test_the_parts_of_a_message_are_lines_of_it():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert read({"messages": [{"role": "user", "content": parts}]}).choices[0].prompt.text == (
        "user: a\nb\nassistant: "
    )


def test_several_answers_to_several_prompts_are_numbered_and_differ_and_a_prompt_counts_once():
    given_answer = read({"prompt": ["1234", "5678"], "n": 2, "max_tokens": 8}, chat=False)
    assert [choice.index for choice in given_answer.choices] == [0, 1, 2, 3]
    assert len({choice.said.text for choice in given_answer.choices}) == 4
    assert json.loads(whole(given_answer))["usage"]["prompt_tokens"] == 2
    assert json.loads(whole(given_answer))["usage"]["completion_tokens"] == 32  # 4 * 8


def test_an_adapter_has_its_name_and_texts_of_its_own():
    base, tuned = read({"messages": HI, "max_tokens": 9}), read({"messages": HI, "max_tokens": 9, "model": "tuned"})
    assert (base.model, base.lora, tuned.model, tuned.lora) == ("m", None, "tuned", "tuned")
    assert base.choices[0].said.text != tuned.choices[0].said.text


def test_the_seed_of_a_request_decides_its_text():
    texts = {read({"messages": HI, "max_tokens": 9, "seed": seed}).choices[0].said.text for seed in (1, 2, 1)}
    assert len(texts) == 2


def calls(given_answer):
    return json.loads(whole(given_answer))["choices"][0]["message"].get("tool_calls")


@pytest.mark.parametrize(
    ("choice", "reason"),
    [("required", "tool_calls"), ({"type": "function", "function": {"name": "get_tide"}}, "stop")],
)
def test_a_tool_is_called_with_arguments_that_fit_its_schema(choice, reason):
    given_answer = read({"messages": HI, "tools": [TOOL], "tool_choice": choice, "stream": True})
    (call,) = calls(given_answer)
    arguments = json.loads(call["function"]["arguments"])
    assert call["function"]["name"] == "get_tide"
    assert isinstance(arguments["bay"], str)
    assert 1 <= arguments["day"] <= 31
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(given_answer)][1:]
    pieces = [delta["tool_calls"][0]["function"].get("arguments", "") for delta in deltas]
    assert deltas[0]["tool_calls"][0]["id"] == call["id"]
    assert "".join(pieces) == call["function"]["arguments"]
    assert chunks(given_answer)[-1]["choices"][0]["finish_reason"] == reason


def test_by_itself_the_model_calls_a_tool_or_not_as_the_prompt_has_it_and_not_after_a_tools_answer():
    def called(text, *more):
        messages = [{"role": "user", "content": text}, *more]
        return calls(read({"messages": messages, "tools": [TOOL]})) is not None

    words = ("sea", "bay", "fog", "ebb", "eel", "cod", "oar", "net")
    assert {called(word) for word in words} == {True, False}
    assert not any(called(word, {"role": "tool", "content": "low"}) for word in words)


def test_json_that_is_wanted_is_json_that_fits():
    schema = {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}, "list": {"type": "array", "minItems": 2}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    value = json.loads(read({"messages": HI, "response_format": wanted}).choices[0].said.text)
    assert value["kind"] in {"a", "b"}
    assert len(value["list"]) == 2
    assert isinstance(
        json.loads(read({"messages": HI, "response_format": {"type": "json_object"}}).choices[0].said.text), dict
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": None},
        {"enum": 3},
        {"type": []},
        {"const": 2**70},
        {"$ref": 1},
        {"minimum": {}, "type": "integer"},
    ],
)
def test_what_is_no_schema_is_refused(schema):
    tool = {"function": {"name": "f", "parameters": {"properties": {"x": schema}} if schema.get("enum") else schema}}
    with pytest.raises(BadAskError) as caught:
        read({"messages": HI, "tools": [tool], "tool_choice": "required"})
    assert caught.value.param == "tools"


def required(schema):
    tool = {"function": {"name": "f", "parameters": schema}}
    return json.loads(read({"messages": HI, "tools": [tool], "tool_choice": "required"}).choices[0].said.text[4:])


def test_a_schema_without_end_ends_and_what_is_too_much_is_refused():
    assert set(required({"properties": {"again": {"$ref": "#"}}})) == {"again"}
    with pytest.raises(BadAskError, match="more than"):
        required({"properties": {str(index): {"$ref": "#"} for index in range(50)}})


def test_known_questions_are_answered_as_expected():
    known = {"2 + 2?": ("4", True), "Where?": ("at sea", False)}

    def said(text, **extra):
        return read({"messages": [{"role": "user", "content": text}]} | extra, known=known).choices[0].said

    assert said("2 + 2?", max_tokens=9).text == "4"
    assert said("Where?", max_tokens=9).text.startswith("at sea")
    assert len(said("Where?", max_tokens=9).tokens) == 9


def test_an_answer_given_back_has_the_tokens_that_it_had_and_so_the_same_blocks():
    first = read({"messages": HI, "max_tokens": 40}).choices[0]
    turns = [*HI, {"role": "assistant", "content": first.said.text}, {"role": "user", "content": "more"}]
    second = read({"messages": turns, "max_tokens": 4}).choices[0]
    # 5 + 40 tokens are 2 whole blocks of 16 and a rest.
    assert len(first.hashes) == 2
    assert second.hashes[:2] == first.hashes


def test_blocks_of_another_model_or_another_salt_are_others():
    long = {"messages": [{"role": "user", "content": "x" * 100}], "max_tokens": 1}
    hashes = {read(long | extra).choices[0].hashes for extra in ({}, {"model": "tuned"}, {"cache_salt": "s"})}
    assert len(hashes) == 3


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
