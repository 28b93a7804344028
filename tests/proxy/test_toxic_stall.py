"""`stall`: silence in the middle of an open stream, and all of it when it goes."""

from __future__ import annotations

from answered import text, told
from proxied import silent


def test_so_many_tokens_come_and_the_rest_when_it_goes(talk):
    talk.toxic("stall", tokens=2)
    client = talk.client()
    client.connection.request("POST", "/v1/chat/completions", '{"stream": true, "max_tokens": 5}')
    answer = client.connection.getresponse()
    got = b""
    while got.count(b"w1") == 0:
        got += answer.read1(65536)
    assert silent(client.connection.sock, 0.3)
    assert talk.counts("stall") == (1, 1, 1)
    talk.ask("DELETE", "/toxics/stall")
    got += answer.read()
    assert (len(text(got)), told(got)[-1]) == (5, "[DONE]")
    assert client.ask()[3] == "whole"  # the same connection, and nothing is done to it any more


def test_an_answer_that_is_no_stream_does_not_begin(talk):
    talk.toxic("stall")
    client = talk.client()
    client.connection.request("POST", "/v1/chat/completions", "{}")
    assert silent(client.connection.sock, 0.3)
