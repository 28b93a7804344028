"""A toxic with a lease, and a proxy switched off with one, end by themselves; a renewal only puts that off."""

from __future__ import annotations

import socket
import time

import pytest

from proxied import connect, exchange, silent


def until(what, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        pass
    assert what()


def test_a_toxic_ends_with_its_lease(way):
    began = time.monotonic()
    assert way.toxic("latency", latency=60_000, lease=0.2)["lease"] == pytest.approx(0.2, abs=0.05)
    client = way.client()
    client.sendall(b"waits")
    assert client.recv(5) == b"waits"  # let go with the lease
    assert time.monotonic() - began >= 0.2
    assert way.ask("GET", "/toxics")[1] == []


def test_a_renewal_puts_the_end_off_and_lets_nothing_through(way):
    way.toxic("timeout", timeout=0, lease=0.3)
    client = way.client()
    client.sendall(b"lost")
    for _ in range(3):
        assert silent(client, 0.15)
        assert way.ask("PATCH", "/toxics/timeout", {"lease": 0.3})[0] == 200
    assert silent(client, 0.15)  # 0.6 s after a lease of 0.3 s was given
    until(lambda: way.ask("GET", "/toxics")[1] == [])


def test_a_toxic_without_a_lease_stays(way):
    assert "lease" not in way.toxic("latency", latency=1)


def test_what_is_gone_has_no_lease_left_to_end(way):
    way.toxic("latency", latency=1, lease=0.1)
    way.ask("DELETE", "/toxics/latency")
    assert "lease" not in way.toxic("latency", latency=1)
    assert silent(way.client(), 0.2)
    assert len(way.ask("GET", "/toxics")[1]) == 1


def test_a_proxy_switched_off_with_a_lease_comes_back(way):
    began = time.monotonic()
    assert way.ask("PATCH", body={"enabled": False, "lease": 0.2})[1]["enabled"] is False
    with pytest.raises(ConnectionRefusedError):
        connect(way.port)
    until(lambda: way.ask("GET")[1]["enabled"])
    assert time.monotonic() - began >= 0.2
    assert exchange(way.client())[0] == b"hello"


def test_a_port_that_somebody_took_meanwhile_is_listened_on_once_they_let_go(way):
    way.ask("PATCH", body={"enabled": False, "lease": 0.3})
    with socket.create_server(("127.0.0.1", way.port)):
        assert way.ask("PATCH", body={"enabled": True, "by": "somebody else"})[1]["enabled"] is False
        until_passed = time.monotonic() + 0.6
        until(lambda: time.monotonic() > until_passed)
        assert way.ask("GET")[1]["enabled"] is False
    until(lambda: way.ask("GET")[1]["enabled"])
    assert exchange(way.client())[0] == b"hello"


def test_who_did_not_switch_it_off_does_not_switch_it_on(way):
    way.ask("PATCH", body={"enabled": False, "by": "one"})
    way.ask("PATCH", body={"enabled": False, "by": "two"})
    assert way.ask("PATCH", body={"enabled": True, "by": "three"})[1]["by"] == ["one", "two"]
    assert way.ask("PATCH", body={"enabled": True, "by": "one"})[1]["enabled"] is False
    assert way.ask("PATCH", body={"enabled": True, "by": "two"})[1]["enabled"] is True


def test_who_speaks_for_nobody_switches_it_on_whoever_switched_it_off(way):
    way.ask("PATCH", body={"enabled": False, "by": "one"})
    assert way.ask("PATCH", body={"enabled": True})[1]["enabled"] is True


def test_a_lease_is_more_than_nothing(way):
    assert way.ask("PATCH", body={"enabled": False, "lease": 0})[0] == 400
    assert way.ask("POST", "/toxics", {"type": "latency", "lease": -1})[0] == 400
