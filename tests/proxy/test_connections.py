"""What passes without toxics is as it would be without a proxy: bytes, half-closes, resets, refusals."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
import time

import pytest

from proxied import PATIENCE, connect, exactly, exchange, rest


def test_bytes_pass_in_both_directions_as_they_are(way):
    data = os.urandom(1_000_000)
    client = way.client()
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    assert exactly(client, len(data)) == data


def test_half_a_close_is_passed_on_and_the_other_half_goes_on(ways):
    def counts(one):
        size = 0
        while part := one.recv(65536):
            size += len(part)
        one.sendall(str(size).encode())

    client = ways(counts).client()
    client.sendall(b"x" * 1234)
    client.shutdown(socket.SHUT_WR)
    assert rest(client)[:2] == (b"1234", "closed")


def test_a_reset_of_the_server_is_a_reset_for_the_client(ways):
    def resets(one):
        one.recv(10)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    client = ways(resets).client()
    client.sendall(b"hello")
    assert rest(client)[:2] == (b"", "reset")


def test_a_dead_upstream_is_a_reset_at_once(way):
    way.server.close()
    try:
        ended = rest(way.client())[1]
    except ConnectionResetError:  # before connect() had returned
        ended = "reset"
    assert ended == "reset"
    assert way.ask("GET", "/observed")[1]["refused"] == 1


def test_a_client_that_left_leaves_nothing_behind(way):
    clients = [way.client() for _ in range(20)]
    for one in clients:
        exchange(one)
    assert way.ask("GET", "/observed")[1]["open"] == 20
    for one in clients:
        one.close()
    deadline = time.monotonic() + PATIENCE
    while way.ask("GET", "/observed")[1]["open"] and time.monotonic() < deadline:
        pass
    assert way.ask("GET", "/observed")[1]["open"] == 0


def test_bytes_are_counted_as_they_pass(way):
    exchange(way.client(), b"x" * 100)
    observed = way.ask("GET", "/observed")[1]
    assert observed["upstream"] == observed["downstream"] == {"received": 100, "sent": 100}
    metrics = way.proxied.ask("GET", "/metrics")[1]
    assert f'toxiproxy_proxy_sent_bytes_total{{direction="upstream",listener="127.0.0.1:{way.port}",' in metrics


def test_a_proxy_that_is_off_refuses_and_drops_and_listens_again_on_the_same_port(way):
    client = way.client()
    exchange(client)
    assert way.ask("PATCH", body={"enabled": False})[1]["enabled"] is False
    assert rest(client)[0] == b""
    with pytest.raises(ConnectionRefusedError):
        connect(way.port)
    assert way.ask("PATCH", body={"enabled": True})[1]["enabled"] is True
    assert exchange(way.client())[0] == b"hello"


def test_two_toxics_work_one_after_the_other(way):
    way.toxic("latency", latency=60)
    way.toxic("limit_data", bytes=3)
    client = way.client()
    began = time.monotonic()
    client.sendall(b"hello")
    assert rest(client)[0] == b"hel"
    assert time.monotonic() - began >= 0.06


HARMLESS = {
    "latency": lambda dice: {"latency": dice.randint(0, 20), "jitter": dice.randint(0, 20)},
    "bandwidth": lambda dice: {"rate": dice.randint(500, 5000)},
    "slicer": lambda dice: {"average_size": dice.randint(20, 2000), "size_variation": 19, "delay": dice.randint(0, 50)},
    "slow_close": lambda dice: {"delay": dice.randint(0, 20)},
    "limit_data": lambda _: {"bytes": 10**9},
}


@pytest.mark.parametrize("seed", range(3))
def test_toxics_that_come_change_and_go_under_a_live_stream_lose_and_mix_up_nothing(way, seed):
    dice, data = random.Random(seed), random.Random(seed).randbytes(3_000_000)
    client = way.client()
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    got, there = bytearray(), set()
    while len(got) < len(data):
        part = client.recv(50_000)
        assert part, f"ended after {len(got)} bytes"
        got += part
        name = dice.choice(list(HARMLESS))
        if name not in there:
            stream = dice.choice(["upstream", "downstream"])
            way.toxic(name, stream=stream, toxicity=dice.choice([0.5, 1.0]), **HARMLESS[name](dice))
        elif dice.random() < 0.5:
            way.ask("PATCH", f"/toxics/{name}", {"attributes": HARMLESS[name](dice)})
        else:
            way.ask("DELETE", f"/toxics/{name}")
        there ^= set() if name in there and way.ask("GET", f"/toxics/{name}")[0] == 200 else {name}
    assert bytes(got) == data
    client.shutdown(socket.SHUT_WR)
    assert rest(client)[:2] == (b"", "closed")
