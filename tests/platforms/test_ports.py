"""Ports: free ones are chosen outside the kernel's own range, fixed ones are checked and their holder is named."""

from __future__ import annotations

import os
import socket
from random import Random

import pytest

from holdfast.errors import PlatformError
from holdfast.platforms import ports


@pytest.fixture
def taken():
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


def test_chosen_ports_are_distinct_free_and_below_the_ephemeral_range():
    chosen = ports.choose([f"p{number}" for number in range(50)], {}, Random(1), highest=ports.ceiling())
    assert len(set(chosen.values())) == 50
    assert all(ports.LOWEST <= port < ports.ceiling() and ports.free(port) for port in chosen.values())


def test_a_fixed_port_is_given_to_its_name_only():
    fixed = ports.choose(["x"], {}, Random(2), highest=ports.ceiling())["x"]
    chosen = ports.choose(["a", "b"], {"b": fixed}, Random(2), highest=ports.ceiling())
    assert chosen["b"] == fixed != chosen["a"]


def test_a_taken_port_is_not_free_and_its_holder_is_named(taken):
    assert not ports.free(taken)
    assert ports.listening(taken)
    with pytest.raises(PlatformError, match=rf"port {taken} for a is taken by .*\(pid {os.getpid()}\)"):
        ports.choose(["a"], {"a": taken}, Random(3), highest=ports.ceiling())


def test_a_port_shared_by_so_reuseport_is_not_free():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind((ports.HOST, 0))
        server.listen()
        assert not ports.free(server.getsockname()[1])


def test_a_port_that_only_has_lingering_connections_is_free():
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection((ports.HOST, port))
        server.accept()[0].close()  # this side closes first, so this side lingers
        client.close()
    assert not ports.listening(port)
    assert ports.free(port)
