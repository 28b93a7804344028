"""Locust's own web page drives our user: start, watch, stop."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from urllib.parse import urlencode

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_load_started_on_the_web_page_is_counted_there_and_stops_when_told(server, locust, until):
    page = f"http://127.0.0.1:{free_port()}"
    host = server.url("ok")
    face = ["--web-host", "127.0.0.1", "--web-port", page.rpartition(":")[2]]
    locust("-f", "loadtests/chat.py", "--host", host, "--rate", "10", "--length", "30s", "--answer-tokens", "5", *face)

    def ask(path, form=None):
        data = urlencode(form).encode() if form is not None else None
        with urllib.request.urlopen(f"{page}{path}", data, timeout=5) as answer:
            return json.load(answer)

    def asked():
        try:
            return ask("/stats/requests")
        except urllib.error.URLError:
            return None

    until(asked, within=30)
    assert ask("/swarm", {"user_count": 1, "spawn_rate": 1, "host": host})["success"] is True
    row = until(lambda: next((one for one in asked()["stats"] if one["num_requests"] >= 5), None))
    assert (row["name"], row["num_failures"]) == ("/v1/chat/completions", 0)
    assert row["median_response_time"] > 0
    with urllib.request.urlopen(urllib.request.Request(f"{page}/stop", method="POST"), timeout=5) as answer:
        assert json.load(answer)["success"] is True
    until(lambda: asked()["state"] == "stopped")
