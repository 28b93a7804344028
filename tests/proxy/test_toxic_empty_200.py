"""`empty_200`: a success without a word."""

from __future__ import annotations


def test_an_answer_has_status_200_and_no_body(talk):
    talk.toxic("empty_200")
    client = talk.client()
    for stream in (True, False):
        status, headers, body, end, _ = client.ask(stream=stream)
        assert (status, headers["content-length"], body, end) == (200, "0", b"", "whole")
    assert talk.counts("empty_200") == (2, 2, 2)
