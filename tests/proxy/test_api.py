"""Toxiproxy's API: the same requests, the same answers. Where the real one is there, it is asked as well."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proxied import Proxied, Server

REAL = shutil.which("toxiproxy-server") or str(Path("~/.cache/toolslab/bin/toxiproxy-server").expanduser())

LATENCY = {"type": "latency", "attributes": {"latency": 5}}
SLICER = {"average_size": 10, "size_variation": 5, "delay": 3}
CALLS = (
    (
        "POST",
        "/populate",
        [{"name": "a", "listen": "{a}", "upstream": "{up}"}, {"name": "b", "listen": "{b}", "upstream": "{up}"}],
    ),
    ("POST", "/populate", [{"name": "a", "listen": "{a}", "upstream": "{up}"}]),
    ("POST", "/populate", [{"name": "c"}]),
    ("GET", "/proxies", None),
    ("GET", "/proxies/a", None),
    ("GET", "/proxies/none", None),
    ("POST", "/proxies", {"name": "a", "upstream": "{up}"}),
    ("POST", "/proxies", {"upstream": "{up}"}),
    ("POST", "/proxies", {"name": "d"}),
    ("POST", "/proxies", {"name": "off", "listen": "{c}", "upstream": "{up}", "enabled": False}),
    ("POST", "/proxies/off", {"enabled": True}),
    ("PATCH", "/proxies/off", {"enabled": False}),
    ("DELETE", "/proxies/off", None),
    ("DELETE", "/proxies/off", None),
    ("GET", "/proxies/a/toxics", None),
    ("POST", "/proxies/a/toxics", LATENCY),
    ("POST", "/proxies/a/toxics", LATENCY),
    (
        "POST",
        "/proxies/a/toxics",
        {"name": "slow", "type": "bandwidth", "stream": "upstream", "attributes": {"rate": 9}},
    ),
    ("POST", "/proxies/a/toxics", {"name": "s", "type": "slicer", "toxicity": 0.5, "attributes": SLICER}),
    ("POST", "/proxies/a/toxics", {"name": "l", "type": "limit_data", "attributes": {"bytes": 8}}),
    ("POST", "/proxies/a/toxics", {"name": "t", "type": "timeout", "attributes": {"timeout": 8}}),
    ("POST", "/proxies/a/toxics", {"name": "r", "type": "reset_peer", "attributes": {"timeout": 8}}),
    ("POST", "/proxies/a/toxics", {"name": "c", "type": "slow_close", "attributes": {"delay": 8}}),
    ("POST", "/proxies/a/toxics", {"name": "z", "type": "none"}),
    ("POST", "/proxies/a/toxics", {"name": "z", "type": "latency", "stream": "sideways"}),
    ("POST", "/proxies/none/toxics", LATENCY),
    ("GET", "/proxies/a/toxics", None),
    ("GET", "/proxies/a/toxics/latency_downstream", None),
    ("GET", "/proxies/a/toxics/none", None),
    ("POST", "/proxies/a/toxics/latency_downstream", {"attributes": {"jitter": 2}}),
    ("PATCH", "/proxies/a/toxics/latency_downstream", {"toxicity": 0.25}),
    ("PATCH", "/proxies/a/toxics/none", {"toxicity": 0.25}),
    ("DELETE", "/proxies/a/toxics/s", None),
    ("DELETE", "/proxies/a/toxics/s", None),
    ("PATCH", "/proxies/b", {"enabled": False}),
    ("GET", "/proxies", None),
    ("POST", "/reset", None),
    ("GET", "/proxies", None),
    ("GET", "/nothing", None),
    ("DELETE", "/version", None),
)
LOOSE = (
    ("POST", "/proxies", "no json"),
    ("POST", "/proxies", {"name": 7, "upstream": "{up}"}),
    ("POST", "/proxies/a/toxics", {"type": "latency", "attributes": {"latency": "long"}}),
)
"""Refused by both, each in its own words."""


def filled(body, places):
    if isinstance(body, str):
        return places.get(body, body)
    if isinstance(body, list):
        return [filled(one, places) for one in body]
    return {key: filled(value, places) for key, value in body.items()} if isinstance(body, dict) else body


def told(answer, places):
    """Status and body; ports back to their names, and real Toxiproxy's lists in an order of their own."""
    back = {value: key for key, value in places.items()}

    def named(body):
        if isinstance(body, list):
            return sorted((named(one) for one in body), key=str)
        if isinstance(body, dict):
            # The real one shows its logger as well, an empty object.
            return {key: named(one) for key, one in body.items() if key != "Logger"}
        return back.get(body, body)

    status, body = answer
    return status, named(body) if isinstance(body, list | dict) else ""


def free():
    one = Server()
    one.close()
    return one.port


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


def places_for(server):
    return {f"{{{name}}}": f"127.0.0.1:{free()}" for name in "abc"} | {"{up}": f"127.0.0.1:{server.port}"}


@pytest.fixture
def real():
    if not os.access(REAL, os.X_OK):
        pytest.skip("toxiproxy-server is not on PATH")
    port = free()
    running = Proxied([REAL, "-host", "127.0.0.1", "-port", str(port)])
    running.api = f"127.0.0.1:{port}"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            running.ask("GET", "/version")
            break
        except OSError:
            continue
    yield running
    running.end()


@pytest.fixture
def fresh(proxied):
    yield proxied
    for name in proxied.ask("GET", "/proxies")[1]:
        proxied.ask("DELETE", f"/proxies/{name}")


def test_the_real_toxiproxy_answers_the_same(fresh, real, server):
    ours, theirs = places_for(server), places_for(server)
    for method, path, body in CALLS:
        mine = told(fresh.ask(method, path, filled(body, ours)), ours)
        assert mine == told(real.ask(method, path, filled(body, theirs)), theirs), (method, path, body)
    for method, path, body in LOOSE:
        mine, other = (one.ask(method, path, filled(body, ours)) for one in (fresh, real))
        assert mine[0] == other[0] == 400
        assert mine[1]["error"].startswith("bad request body: ")
        assert other[1]["error"].startswith("bad request body: ")


def test_what_was_made_is_told_as_it_is(fresh, server):
    made = fresh.ask("POST", "/proxies", {"name": "a", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{server.port}"})
    status, body = made
    assert (status, body["name"], body["enabled"], body["toxics"]) == (201, "a", True, [])
    assert fresh.ask("POST", "/proxies/a/toxics", LATENCY) == (
        200,
        {
            "attributes": {"latency": 5, "jitter": 0},
            "name": "latency_downstream",
            "type": "latency",
            "stream": "downstream",
            "toxicity": 1.0,
        },
    )
    assert fresh.ask("GET", "/proxies/a/toxics/none") == (404, {"error": "toxic not found", "status": 404})
    assert fresh.ask("POST", "/proxies", {"name": "a", "upstream": "h:1"}) == (
        409,
        {"error": "proxy already exists", "status": 409},
    )
    assert fresh.ask("POST", "/reset") == (204, "")
    assert fresh.ask("GET", "/proxies/a/toxics") == (200, [])


def test_a_misspelt_attribute_is_refused_and_not_a_fault_that_does_nothing(fresh, server):
    fresh.proxy("a", server.port)
    status, body = fresh.ask("POST", "/proxies/a/toxics", {"type": "latency", "attributes": {"latncy": 5}})
    assert (status, body["error"]) == (400, "bad request body: latncy: Extra inputs are not permitted")
    assert fresh.ask("GET", "/proxies/a/toxics") == (200, [])


def test_a_page_in_a_browser_is_not_let_in(fresh):
    assert fresh.ask("GET", "/proxies", headers={"User-Agent": "Mozilla/5.0"}) == (403, "User agent not allowed\n")


def test_a_port_that_is_taken_is_said_so(fresh, server):
    taken = {"name": "a", "listen": f"127.0.0.1:{server.port}", "upstream": "127.0.0.1:1"}
    status, body = fresh.ask("POST", "/proxies", taken)
    assert status == 500
    assert f"listen tcp 127.0.0.1:{server.port}" in body["error"]
    assert fresh.ask("GET", "/proxies") == (200, {})


@pytest.mark.parametrize("upstream", ["nowhere", "host:port", ":x"])
def test_an_upstream_that_is_no_address_is_refused(fresh, upstream):
    assert fresh.ask("POST", "/proxies", {"name": "a", "upstream": upstream})[0] >= 400
    assert fresh.ask("GET", "/proxies") == (200, {})


@pytest.mark.parametrize(
    "text", ["", "GET", "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", "\x00\r\n\r\n", "a b c d\r\n\r\n"]
)
def test_what_is_no_request_ends_its_connection_and_nothing_else(fresh, text):
    host, port = fresh.api.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.connect()
    connection.sock.sendall(text.encode())
    connection.sock.shutdown(1)
    assert connection.sock.recv(10) == b""
    connection.close()
    assert fresh.ask("GET", "/version")[0] == 200


def test_its_port_taken_it_says_so_and_ends(server):
    words = [sys.executable, "-m", "holdfast.proxy", "--port", str(server.port)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("holdfast.proxy: ")
