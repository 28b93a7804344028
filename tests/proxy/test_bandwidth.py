"""`bandwidth`: so many kilobytes a second and no more; nothing is lost, and a sender that is too fast waits."""

from __future__ import annotations

import time
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from holdfast.proxy.toxics.bandwidth import Bandwidth
from proxied import exactly, exchange, rest, sends, silent


def test_bytes_take_their_time(ways):
    way = ways(sends(b"x" * 20_000))
    way.toxic("bandwidth", rate=100)
    client = way.client()
    began = time.monotonic()
    client.sendall(b"go")
    assert rest(client)[:2] == (b"x" * 20_000, "closed")
    assert time.monotonic() - began >= 0.2  # 20 kB at 100 kB/s


def test_bytes_arrive_all_along_and_not_at_the_end(ways):
    way = ways(sends(b"x" * 30_000))
    way.toxic("bandwidth", rate=100)
    client = way.client()
    client.sendall(b"go")
    assert len(rest(client)[2]) >= 3  # slices of a tenth of a second


def test_nothing_passes_at_a_rate_of_zero_until_it_is_another(way):
    client = way.client()
    way.toxic("bandwidth", rate=0)
    client.sendall(b"wait")
    assert silent(client, 0.15)
    way.ask("PATCH", "/toxics/bandwidth", {"attributes": {"rate": 1000}})
    assert exactly(client, 4) == b"wait"


def test_a_sender_that_is_too_fast_is_held_back(ways):
    sent = []

    def pours(one):
        one.recv(10)
        for _ in range(1000):
            one.sendall(b"x" * 65536)
            sent.append(65536)

    way = ways(pours)
    way.toxic("bandwidth", rate=1)
    client = way.client()
    client.sendall(b"go")
    assert len(exactly(client, 100)) == 100
    before, deadline = -1, time.monotonic() + 5
    while len(sent) != before and time.monotonic() < deadline:  # until it stands still
        before = len(sent)
        silent(client, 0.02)
    assert sum(sent) < 20_000_000  # kernels' buffers, not the whole 64 MB in the proxy's memory


def test_a_neighbour_is_as_fast_as_ever(way, ways):
    way.toxic("bandwidth", rate=1)
    assert exchange(ways().client(), b"x" * 10_000)[1] < 5.0  # at 1 kB/s it would be 10 s


@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=20), rate=st.integers(1, 500))
def test_no_moment_has_seen_more_than_the_rate(sizes, rate):
    stage = Bandwidth(rate=rate).stage(Random(1))
    pieces = [piece for size in sizes for piece in stage.take(b"x" * size, 10.0)]
    passed = 0
    for piece in pieces:
        passed += len(piece.what)
        assert passed <= rate * 1000 * (piece.due - 10.0) + 1e-3
    assert passed == sum(sizes)
