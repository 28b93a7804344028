"""`reset_peer`: a TCP reset to both sides, before a byte came through, on old connections as on new ones."""

from __future__ import annotations

import time

import pytest

from proxied import exchange, rest


def test_the_first_byte_brings_the_reset(way):
    way.toxic("reset_peer", stream="upstream", timeout=0)
    client = way.client()
    client.sendall(b"hello")
    assert rest(client)[:2] == (b"", "reset")


def test_a_connection_from_before_is_reset_too(way):
    client = way.client()
    exchange(client)
    way.toxic("reset_peer", timeout=0)
    client.sendall(b"hello")
    assert rest(client)[:2] == (b"", "reset")


def test_it_comes_so_much_later(way):
    way.toxic("reset_peer", timeout=100)
    client = way.client()
    began = time.monotonic()
    client.sendall(b"hello")
    assert rest(client)[1] == "reset"
    assert time.monotonic() - began >= 0.1


def test_the_server_is_reset_as_well(ways):
    seen = []

    def listens(one):
        try:
            seen.append(one.recv(10))
        except ConnectionResetError:
            seen.append("reset")

    way = ways(listens)
    way.toxic("reset_peer", stream="upstream", timeout=0)
    way.client().sendall(b"hello")
    deadline = time.monotonic() + 5
    while not seen and time.monotonic() < deadline:
        pass
    assert seen == ["reset"]


def test_a_neighbour_is_not_reset_and_new_connections_live_once_it_is_gone(way, ways):
    way.toxic("reset_peer", timeout=0)
    assert exchange(ways().client())[0] == b"hello"
    way.ask("DELETE", "/toxics/reset_peer")
    assert exchange(way.client())[0] == b"hello"


@pytest.mark.parametrize("toxicity", [0.0, 1.0])
def test_toxicity_is_the_share_of_connections(way, toxicity):
    way.toxic("reset_peer", timeout=0, toxicity=toxicity)
    client = way.client()
    client.sendall(b"hello")
    ended = [client.recv(5)] if toxicity == 0 else rest(client)[1]
    assert ended == ([b"hello"] if toxicity == 0 else "reset")
