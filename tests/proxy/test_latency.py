"""`latency`: late by so much and in order, on connections that were there before, and no longer than it is there."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from holdfast.proxy.toxics.latency import Latency
from proxied import exchange, rest, sends


def test_every_answer_comes_that_much_later(way):
    client = way.client()
    exchange(client)
    way.toxic("latency", latency=80)
    for _ in range(3):
        got, took = exchange(client)
        assert got == b"hello"
        assert took >= 0.08


def test_requests_are_late_when_it_is_upstream(way):
    way.toxic("latency", stream="upstream", latency=60)
    way.toxic("latency", name="back", latency=60)
    assert exchange(way.client())[1] >= 0.12


def test_a_neighbour_is_not_late(way, ways):
    way.toxic("latency", latency=2000)
    assert exchange(ways().client())[1] < 2.0


def test_other_settings_hold_at_once_on_a_live_connection(way):
    client = way.client()
    way.toxic("latency", latency=60_000)
    client.sendall(b"a")
    assert way.ask("PATCH", "/toxics/latency", {"attributes": {"latency": 50}})[0] == 200
    assert client.recv(1) == b"a"  # what waited is let go
    assert exchange(client)[1] >= 0.05


def test_what_waits_comes_when_the_toxic_goes(way):
    client = way.client()
    way.toxic("latency", latency=60_000)
    client.sendall(b"waits")
    assert way.ask("DELETE", "/toxics/latency")[0] == 204
    assert client.recv(10) == b"waits"


def test_jitter_changes_no_order(ways):
    way = ways(sends(bytes(range(256)) * 40))
    way.toxic("latency", latency=20, jitter=20)
    client = way.client()
    client.sendall(b"go")
    assert rest(client)[:2] == (bytes(range(256)) * 40, "closed")


@given(latency=st.integers(0, 500), jitter=st.integers(0, 500), now=st.floats(0, 1e6))
def test_no_piece_is_later_than_latency_and_jitter(latency, jitter, now):
    (piece,) = Latency(latency=latency, jitter=jitter).stage(Random(1)).take(b"x", now)
    assert (latency - jitter) / 1000 - 1e-6 <= piece.due - now <= (latency + jitter) / 1000 + 1e-6
