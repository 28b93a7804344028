"""Golden streams, and the law: however the byte stream is cut, the tokens are the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.load.seen import longest_gap
from holdfast.load.sse import AnswerReader, read_answer


def event(body: object) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def delta(finish: str | None = None, **fields: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]})


ROLE = delta(role="assistant", content="")
USAGE = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": None}})
DONE = b"data: [DONE]\n\n"
WHOLE = ROLE + delta(content="Grüße, ") + delta(content="世界 🌍") + delta(finish="stop") + USAGE + DONE


def texts(stream: bytes) -> list[str]:
    return read_answer([(1.0, stream)]).token_texts


def test_a_whole_answer():
    answer = read_answer([(1.0, WHOLE)])
    assert answer.token_texts == ["Grüße, ", "世界 🌍"]
    assert (answer.finish_reason, answer.done, answer.error, answer.broken) == ("stop", 1.0, "", "")
    assert answer.usage == {"prompt_tokens": 7, "completion_tokens": 2}


def test_a_token_has_the_time_of_the_read_that_completed_its_event():
    first = delta(content="a")
    reads = [
        (1.0, ROLE),
        (2.0, first[:10]),
        (3.0, first[10:]),
        (7.5, delta(content="b") + delta(content="c")),
        (9.0, DONE),
    ]
    answer = read_answer(reads)
    # b and c came in one read: they have one time, and no gap is made up between them.
    assert answer.token_times == [3.0, 7.5, 7.5]
    assert (longest_gap(answer.token_times), answer.done) == (4.5, 9.0)


@pytest.mark.parametrize(
    "silent", [ROLE, delta(content=""), delta(content=None), delta(), USAGE, b": ping\n\n", b"\n\n"]
)
def test_what_carries_no_text_is_no_token(silent):
    assert texts(silent) == []


def test_one_token_has_no_gap():
    assert longest_gap(read_answer([(1.0, delta(content="a"))]).token_times) is None


def test_reasoning_and_tool_calls_are_tokens_of_their_own_kind():
    stream = delta(reasoning_content="hm") + delta(content="so") + delta(tool_calls=[{"index": 0}])
    assert read_answer([(1.0, stream)]).kinds == "tcx"


def test_plain_completions_are_read_too():
    assert texts(event({"choices": [{"text": "hello", "finish_reason": None}]})) == ["hello"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_of_the_standard(end):
    assert texts(WHOLE.replace(b"\n", end)) == ["Grüße, ", "世界 🌍"]


def test_fields_comments_and_a_byte_order_mark_do_not_disturb():
    stream = b"\xef\xbb\xbfid: 1\nretry: 5\n: note\nevent: message\n" + delta(content="a").replace(b"data: ", b"data:")
    assert texts(stream) == ["a"]


def test_data_over_several_lines_is_one_event():
    assert texts(b'data: {"choices": [{"delta":\ndata:  {"content": "a"}}]}\n\n') == ["a"]


@pytest.mark.parametrize(
    "stream",
    [event({"error": {"message": "engine died", "code": 500}}), b'event: error\ndata: {"message": "engine died"}\n\n'],
)
def test_an_error_in_the_stream_is_kept_with_the_tokens_before_it(stream):
    answer = read_answer([(1.0, delta(content="a") + stream)])
    assert answer.token_texts == ["a"]
    assert "engine died" in answer.error
    assert answer.done is None


@pytest.mark.parametrize("last", [b"data: [DONE]\n\n", b"data: [DONE]\n", b"data: [DONE]", b"data:[DONE]\r\n\r\n"])
def test_done_needs_no_closing_blank_line(last):
    assert read_answer([(4.0, delta(content="a") + last)]).done == 4.0


def test_an_event_cut_before_its_end_never_happened():
    answer = read_answer([(1.0, delta(content="a") + delta(content="b")[:-2])])
    assert answer.token_texts == ["a"]
    assert (answer.done, answer.broken) == (None, "")


def test_nothing_after_done_counts():
    assert texts(DONE + delta(content="late")) == []


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"data: {oops\n\n", "not JSON"),
        (b"data: 7\n\n", "not a JSON object"),
        (event({"object": "list"}), "no list of choices"),
        (event({"choices": ["x"]}), "no list of choices"),
        (b"data: \xff\n\n", "not UTF-8"),
    ],
)
def test_what_is_no_chat_stream_says_why(stream, why):
    answer = read_answer([(1.0, delta(content="a") + stream + delta(content="b"))])
    assert why in answer.broken
    assert answer.token_texts == ["a"]


def test_an_empty_stream_said_nothing():
    answer = read_answer([])
    assert (answer.kinds, answer.done, answer.finish_reason) == ("", None, None)


STREAMS = st.lists(
    st.one_of(
        st.sampled_from([ROLE, USAGE, b": ping\n\n", delta(finish="stop"), DONE]),
        st.text(max_size=8).map(lambda text: delta(content=text)),
    ),
    max_size=8,
).map(b"".join)


@given(stream=STREAMS, end=st.sampled_from([b"\n", b"\r\n", b"\r"]), data=st.data())
def test_however_the_stream_is_cut_the_tokens_are_the_same(stream, end, data):
    stream = stream.replace(b"\n", end)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[begin:stop] for begin, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reader = AnswerReader()
    for piece in pieces:
        reader.feed(1.0, piece)
    assert reader.finish() == read_answer([(1.0, stream)])


@given(junk=st.binary(max_size=200))
def test_no_bytes_can_break_the_reader(junk):
    read_answer([(1.0, junk)])
