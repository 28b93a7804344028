"""Faults inside the engines of the embedded platform: who may begin them, and both views of one request."""

import json
import os
import stat
import time
import urllib.request

import pytest

from holdfast.errors import InfrastructureError
from holdfast.load.endpoint import CHAT
from holdfast.load.outcome import outcome_of
from holdfast.load.transport import Client, Deadlines
from holdfast.platforms import layout, lifecycle, pids, tools

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform with one gateway and two engines."""
    from pathlib import Path

    try:
        tools.locate(
            ["prometheus", "alertmanager", "redis-server"],
            path=os.environ["PATH"],
            cache=tools.cache_folder(os.environ),
        )
    except InfrastructureError as error:
        pytest.skip(f"{error}; {error.hint}")
    state = tmp_path_factory.mktemp("faults") / "state"
    home = Path(__file__).parents[2] / "platform" / "local"
    options = {"engines": "2", "gateways": "1", "load-seconds": "0"}
    yield lifecycle.up(state, home=home, options=options, wait=120)
    lifecycle.down(state)
    assert pids.marked(layout.layout(state).mark) == ()
    assert not layout.layout(state).fault_token.exists()


def admin(platform, row, method, path="/faults", body=None):
    token = platform.where.fault_token.read_text().strip()
    request = urllib.request.Request(
        f"http://127.0.0.1:{row.admin}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.read()


def ask(platform, identity):
    """One chat through the gateway, by the load client: its outcome."""
    where = platform.endpoints()
    body = {"model": "sim", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, "stream": True}
    client = Client(where.gateway, deadlines=Deadlines(connect=1, first_byte=5, gap=5, total=10))
    headers = {"x-request-id": identity, "authorization": f"Bearer {where.api_key}"}
    exchange = CHAT.send(client, json.dumps(body).encode(), headers)
    *_, answer = CHAT.reading(exchange)
    return outcome_of(exchange, answer)[0]


def test_a_tenant_behind_the_gateway_is_struck_and_both_views_name_the_same_requests(platform):
    assert stat.S_IMODE(platform.where.fault_token.stat().st_mode) == 0o600
    rows = [row for row in lifecycle.status(platform.where.state) if row.role == "engine"]
    assert [ask(platform, f"before-{number}") for number in range(4)] == ["ok"] * 4
    begun = {}
    for number, row in enumerate(rows):
        # What the gateway neither mends nor, once the first token is out, may try elsewhere.
        body = {"fault": "malformed-event", "lease": 20, "parameters": {"tokens": 1}}
        body |= {"pick": {"tenant": "harness", "percent": 50, "seed": number}}
        begun[row.name] = json.loads(admin(platform, row, "POST", body=body))["id"]
    seen = {f"during-{number}": ask(platform, f"during-{number}") for number in range(12)}
    strikes = [
        json.loads(line)["request_id"]
        for row in rows
        for line in admin(platform, row, "GET", f"/faults/{begun[row.name]}/strikes").splitlines()
    ]
    assert set(strikes) == {identity for identity, outcome in seen.items() if outcome != "ok"}
    assert 0 < len(strikes) < 12
    for row in rows:
        admin(platform, row, "DELETE")
    assert [ask(platform, f"after-{number}") for number in range(4)] == ["ok"] * 4


def test_an_engine_that_dies_and_cannot_load_comes_back_by_itself_after_the_lease(platform):
    """Nobody ends anything: the supervisor starts it, in vain while the lease lasts."""

    def row():
        return next(one for one in lifecycle.status(platform.where.state) if one.name == "engine-2")

    before, began = row(), time.monotonic()
    admin(platform, before, "POST", body={"fault": "load-failure", "lease": 4})
    admin(platform, before, "POST", body={"fault": "oom-exit", "lease": 4, "parameters": {"delay": 0.05}})
    until(lambda: row().state != "ready")
    until(lambda: row().state == "ready")
    assert row().pid != before.pid
    assert time.monotonic() - began > 3.9
    log = lifecycle.log_path(platform.where.state, "engine-2").read_text()
    assert "out of memory: the process is killed" in log
    assert "the weights could not be loaded" in log
    until(lambda: [ask(platform, f"healed-{number}") for number in range(4)] == ["ok"] * 4)


def until(check, within=30):
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, f"did not happen within {within} s"
        time.sleep(0.05)


def test_another_tenant_than_the_gateways_cannot_be_claimed(platform):
    (row, *_) = [row for row in lifecycle.status(platform.where.state) if row.role == "engine"]
    body = {"fault": "no-done", "lease": 20, "pick": {"tenant": "somebody"}}
    one = json.loads(admin(platform, row, "POST", body=body))["id"]
    where = platform.endpoints()
    request = urllib.request.Request(
        f"{where.gateway}/v1/chat/completions",
        data=b'{"model": "sim", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, "stream": true}',
        headers={
            "Authorization": f"Bearer {where.api_key}",
            "Content-Type": "application/json",
            "X-Tenant": "somebody",
        },
    )
    for _ in range(4):
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.read().endswith(b"data: [DONE]\n\n")
    told = json.loads(admin(platform, row, "GET", f"/faults/{one}"))
    assert told["matched"] == 0
    admin(platform, row, "DELETE")
