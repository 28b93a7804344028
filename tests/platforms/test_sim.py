"""The reference platform with simulated engines: every program real, alerts all the way, up within 15 s."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.parse
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest

from holdfast.errors import InfrastructureError
from holdfast.platforms import layout, lifecycle, pids, tools

pytestmark = pytest.mark.e2e
HOME = Path(__file__).parents[2] / "platform" / "local"


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sim") / "state"
    yield folder
    lifecycle.down(folder)
    assert pids.marked(layout.layout(folder).mark) == ()


@pytest.fixture(scope="module")
def started(state):
    """One platform for all tests here; the last one kills it."""
    try:
        tools.locate(
            ["prometheus", "alertmanager", "redis-server"],
            path=os.environ["PATH"],
            cache=tools.cache_folder(os.environ),
        )
    except InfrastructureError as error:
        pytest.skip(f"{error}; {error.hint}")
    return lifecycle.up(state, home=HOME)


def query(platform, promql: str) -> list[dict]:
    url = f"{platform.endpoints().prometheus}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"
    with urllib.request.urlopen(url, timeout=5) as response:
        return json.load(response)["data"]["result"]


def alerts(platform) -> list[dict]:
    file = Path(platform.endpoints().alerts)
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def since(platform, moment: float, name: str, status: str) -> list[dict]:
    found = [one for one in alerts(platform) if one["wall"] >= moment and one["status"] == status]
    return [one for one in found if one["labels"]["alertname"] == name]


def test_prometheus_scrapes_every_replica_under_its_name(started, until):
    roles = {"engine": 3, "gateway": 2, "documents": 0, "prometheus": 0, "alertmanager": 0}
    names = {role: [f"{role}-{n}" for n in range(1, count + 1)] or [role] for role, count in roles.items()}
    wanted = {(role, name) for role, found in names.items() for name in found}

    def scraped() -> set[tuple[str, str]]:
        return {(one["metric"]["job"], one["metric"]["instance"]) for one in query(started, "up == 1")}

    until(lambda: wanted <= scraped())


def test_prometheus_sees_the_devices_of_every_engine(started, until):
    def seen() -> set[str]:
        return {one["metric"]["instance"] for one in query(started, 'DCGM_FI_DEV_GPU_UTIL{job="gpu"}')}

    until(lambda: seen() == {"engine-1", "engine-2", "engine-3"})


def test_the_gateway_serves_an_answer_to_the_key_that_up_made(started):
    where = started.endpoints()
    body = {
        "model": started.record.options["model"],
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 4,
    }
    request = urllib.request.Request(
        f"{where.gateway}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {where.api_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert json.load(response)["usage"]["completion_tokens"] == 4


def test_the_watchdog_arrives_every_five_seconds(started, until):
    platform = started
    # What was sent before the receiver was ready may arrive twice.
    ready = time.time()
    heard = until(lambda: len(found := since(platform, ready, "Watchdog", "firing")) >= 4 and found, seconds=30)
    gaps = [later - earlier for earlier, later in pairwise(one["wall"] for one in heard)]
    assert [gap for gap in gaps if not 4 <= gap <= 7] == []


def test_an_engine_that_hangs_raises_its_alert_and_one_that_comes_back_clears_it(started, until):
    platform = started
    until(lambda: len(query(platform, 'up{job="engine"} == 1')) == 3)
    engine = platform.replicas("engine")[1].identity
    stopped = time.time()
    platform.send(engine, signal.SIGSTOP)
    down = until(lambda: since(platform, stopped, "EngineDown", "firing"), seconds=15)
    assert {(one["labels"]["instance"], one["severity"]) for one in down} == {("engine-2", "page")}
    continued = time.time()
    platform.send(engine, signal.SIGCONT)
    until(lambda: since(platform, continued, "EngineDown", "resolved"), seconds=15)


def test_kill_9_of_the_supervisor_leaves_none_of_the_real_programs(state, started, until):
    platform = started
    whom = [pids.parse(text) for text in platform.record.remembered]
    assert len(whom) == 12
    pids.send(platform.record.supervisor.who, signal.SIGKILL)
    until(lambda: not any(map(pids.exists, whom)), seconds=3)
    assert {row.state for row in lifecycle.status(state)} == {"dead"}
