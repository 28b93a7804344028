"""`malformed_event`: one event is no JSON, those around it are whole."""

from __future__ import annotations

import json

import pytest

from answered import text, told


def test_one_event_is_cut_in_half_after_so_many_tokens(talk):
    talk.toxic("malformed_event", tokens=2)
    _, _, body, end, _ = talk.client().ask(5)
    assert [one for one in told(body) if isinstance(one, str)] == ['{"choices": [{"delta": {"content', "[DONE]"]
    assert text(body) == ["w0 é", "w1 é", "w3 é", "w4 é"]
    assert (end, talk.counts("malformed_event")) == ("whole", (1, 1, 1))


def test_an_answer_that_is_no_stream_loses_its_second_half(talk):
    talk.toxic("malformed_event")
    _, headers, body, end, _ = talk.client().ask(stream=False)
    assert (len(body), end) == (int(headers["content-length"]), "whole")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(body)
