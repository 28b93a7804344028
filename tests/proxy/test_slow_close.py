"""`slow_close`: the bytes come at once, the end comes late."""

from __future__ import annotations

import time

from proxied import exactly, rest, sends


def test_the_end_comes_late_and_the_bytes_do_not(ways):
    way = ways(sends(b"all of it"))
    way.toxic("slow_close", delay=150)
    client = way.client()
    client.sendall(b"go")
    assert exactly(client, 9) == b"all of it"
    came = time.monotonic()
    assert rest(client)[:2] == (b"", "closed")
    assert time.monotonic() - came >= 0.1


def test_an_end_that_waits_comes_when_the_toxic_goes(ways):
    way = ways(sends(b"all of it"))
    way.toxic("slow_close", delay=60_000)
    client = way.client()
    client.sendall(b"go")
    assert exactly(client, 9) == b"all of it"
    way.ask("DELETE", "/toxics/slow_close")
    assert rest(client)[:2] == (b"", "closed")


def test_a_neighbour_ends_at_once(ways):
    ways(sends(b"")).toxic("slow_close", delay=60_000)
    client = ways(sends(b"x")).client()
    client.sendall(b"go")
    assert rest(client)[:2] == (b"x", "closed")
