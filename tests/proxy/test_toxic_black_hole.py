"""`black_hole`: taken and never answered, until it goes."""

from __future__ import annotations

from answered import text
from proxied import silent
from targets import eventually


def test_a_request_gets_no_byte_while_other_paths_are_answered_and_is_answered_when_it_goes(talk):
    talk.toxic("black_hole")
    client = talk.client()
    client.connection.request("POST", "/v1/chat/completions", '{"stream": true}')
    assert silent(client.connection.sock, 0.3)
    assert talk.client().asked() >= 0
    assert talk.counts("black_hole") == (1, 1, 1)
    talk.ask("DELETE", "/toxics/black_hole")
    status, _, body, end, _ = client.hear()
    assert (status, len(text(body)), end) == (200, 4, "whole")


def test_a_client_that_gives_up_leaves_nothing_open(talk):
    talk.toxic("black_hole")
    client = talk.client()
    client.connection.request("POST", "/v1/chat/completions", "{}")
    assert silent(client.connection.sock, 0.2)
    client.close()
    eventually(lambda: talk.ask("GET", "/observed")[1]["open"] == 0)
