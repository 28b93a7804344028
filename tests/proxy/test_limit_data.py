"""`limit_data`: so many bytes and then the end, whatever they were part of."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from holdfast.proxy.toxics.base import Ending
from holdfast.proxy.toxics.limit_data import LimitData
from proxied import exchange, rest, sends


def test_the_connection_ends_after_so_many_bytes(ways):
    way = ways(sends(b"0123456789"))
    way.toxic("limit_data", bytes=4)
    client = way.client()
    client.sendall(b"go")
    assert rest(client)[0] == b"0123"
    assert way.ask("GET", "/observed")[1]["toxics"] == {"limit_data": {"cuts": 1}}


def test_a_live_connection_counts_from_now_on_and_keeps_counting_under_a_new_limit(way):
    client = way.client()
    exchange(client, b"before")
    way.toxic("limit_data", bytes=10)
    assert exchange(client, b"12345")[0] == b"12345"
    way.ask("PATCH", "/toxics/limit_data", {"attributes": {"bytes": 7}})
    client.sendall(b"67890")
    assert rest(client)[0] == b"67"


def test_a_neighbour_has_no_limit(way, ways):
    way.toxic("limit_data", bytes=1)
    assert exchange(ways().client())[0] == b"hello"


@given(sizes=st.lists(st.integers(1, 50), max_size=10), limit=st.integers(0, 200))
def test_exactly_the_limit_passes(sizes, limit):
    stage = LimitData(bytes=limit).stage(Random(1))
    pieces = [piece.what for size in sizes for piece in stage.take(b"x" * size, 1.0)]
    passed = sum(len(what) for what in pieces if isinstance(what, bytes))
    assert passed == min(limit, sum(sizes))
    assert (Ending.CLOSE in pieces) is bool(sizes and sum(sizes) >= limit)
