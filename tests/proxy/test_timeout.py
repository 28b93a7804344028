"""`timeout`: a connection that is there and says nothing, until it is closed."""

from __future__ import annotations

import time

from proxied import exchange, rest, silent


def test_nothing_comes_and_nothing_ends(way):
    client = way.client()
    exchange(client)
    way.toxic("timeout", timeout=0)
    client.sendall(b"anybody?")
    assert silent(client, 0.2)


def test_new_connections_are_accepted_into_the_void(way):
    way.toxic("timeout", timeout=0)
    client = way.client()
    client.sendall(b"anybody?")
    assert silent(client, 0.1)


def test_it_closes_after_its_time(way):
    client = way.client()
    exchange(client)
    began = time.monotonic()
    way.toxic("timeout", timeout=100)
    client.sendall(b"anybody?")
    assert rest(client)[0] == b""
    assert time.monotonic() - began >= 0.1


def test_a_connection_that_lost_bytes_is_closed_when_it_goes(way):
    client = way.client()
    way.toxic("timeout", timeout=0)
    client.sendall(b"lost")
    assert silent(client, 0.05)
    way.ask("DELETE", "/toxics/timeout")
    assert rest(client)[0] == b""
    assert exchange(way.client())[0] == b"hello"


def test_a_client_that_leaves_is_not_kept(way):
    client = way.client()
    exchange(client)
    way.toxic("timeout", stream="upstream", timeout=0)
    client.close()
    deadline = time.monotonic() + 5
    while way.ask("GET", "/observed")[1]["open"] and time.monotonic() < deadline:
        pass
    assert way.ask("GET", "/observed")[1]["open"] == 0


def test_a_neighbour_answers(way, ways):
    way.toxic("timeout", timeout=0)
    assert exchange(ways().client())[0] == b"hello"
