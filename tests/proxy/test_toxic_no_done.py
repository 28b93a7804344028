"""`no_done`: all but the end mark."""

from __future__ import annotations


def test_a_stream_ends_as_it_should_but_for_its_mark(talk):
    client = talk.client()
    whole = client.ask()[2]
    talk.toxic("no_done")
    _, _, body, end, _ = client.ask()
    assert (body, end) == (whole.removesuffix(b"data: [DONE]\n\n"), "whole")
    assert talk.counts("no_done") == (1, 1, 1)


def test_an_answer_that_is_no_stream_is_not_touched(talk):
    client = talk.client()
    whole = client.ask(stream=False)[2]
    talk.toxic("no_done")
    assert client.ask(stream=False)[2] == whole
    assert talk.counts("no_done") == (1, 1, 0)
