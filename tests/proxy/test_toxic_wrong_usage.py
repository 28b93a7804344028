"""`wrong_usage`: what an answer says it has is not what it has."""

from __future__ import annotations

import json

import pytest

from answered import text, told


@pytest.mark.parametrize(("off", "said"), [(100, 106), (-2, 4), (-50, 0)])
def test_a_stream_and_a_whole_answer_miscount_by_so_many(talk, off, said):
    talk.toxic("wrong_usage", off=off)
    client = talk.client()
    usage = [one["usage"] for one in told(client.ask()[2]) if isinstance(one, dict) and "usage" in one]
    # Three tokens of the prompt besides.
    assert usage == [{"prompt_tokens": 3, "completion_tokens": said, "total_tokens": 3 + said}]
    _, headers, body, _, _ = client.ask(stream=False)
    assert json.loads(body)["usage"]["completion_tokens"] == said
    assert int(headers["content-length"]) == len(body)
    assert talk.counts("wrong_usage") == (2, 2, 2)


def test_the_words_stay_as_they_were(talk):
    talk.toxic("wrong_usage")
    assert text(talk.client().ask()[2]) == [f"w{number} é" for number in range(6)]
