"""The receiver as a real process: what Alertmanager posts becomes lines that stay."""

import json
import time

import pytest

ALERT = {
    "status": "firing",
    "labels": {"alertname": "GatewayAvailability", "severity": "page"},
    "annotations": {"summary": "x"},
    "startsAt": "2025-01-01T00:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://p",
    "fingerprint": "f",
}


def message(*alerts, version="4"):
    return {"version": version, "status": "firing", "receiver": "r", "groupLabels": {}, "alerts": list(alerts)}


@pytest.fixture
def receiver(spawn, web, tmp_path):
    def start():
        port, out = web.port(), tmp_path / "alerts.ndjson"
        args = ["--port", port, "--out", out]
        return spawn("refplatform.receiver", *args, url=f"http://127.0.0.1:{port}", ready="/health"), out

    return start


def test_each_alert_is_a_line_with_the_time_of_receipt_there_as_soon_as_the_post_is_answered(receiver, web):
    server, out = receiver()
    before = time.time()
    reply = web.fetch(server.url, "/alerts", message(ALERT, ALERT | {"status": "resolved", "labels": {}}))
    assert reply.status == 200
    first, second = map(json.loads, out.read_text().splitlines())
    assert before <= first["wall"] <= time.time()
    wanted = {key: ALERT[key] for key in ("status", "labels", "annotations", "startsAt", "endsAt")}
    assert first == wanted | {"wall": first["wall"], "name": "GatewayAvailability", "severity": "page"}
    assert (second["status"], second["name"], second["severity"]) == ("resolved", "", "")


def test_what_is_not_a_version_4_message_is_refused_and_leaves_no_line(receiver, web):
    server, out = receiver()
    for body in (message(ALERT, version="3"), {"alerts": [ALERT]}, "not json", message({"status": "maybe"})):
        assert web.fetch(server.url, "/alerts", body, headers={"content-type": "application/json"}).status == 422
    assert out.read_bytes() == b""


def test_a_restart_appends(receiver, web):
    for count in (1, 2):
        server, out = receiver()
        web.fetch(server.url, "/alerts", message(ALERT))
        assert server.end() == 0
        assert len(out.read_text().splitlines()) == count
