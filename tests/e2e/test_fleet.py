"""A scenario whose load several processes share: one load, one record; and one that lost a worker proves nothing."""

from __future__ import annotations

import os
import signal

import pandas as pd
import psutil
import pytest

from bench import until
from holdfast.store.load import LINES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SHARED = """\
apiVersion: holdfast/v1
kind: Scenario
metadata: {name: shared, title: A load that two share}
seed: 3
load: chat-shared
phases:
  - {name: warmup, for: 2s, judged: false}
  - {name: baseline, for: 10s}
expect:
  - {slo: gateway/availability, during: [baseline], objective: 70%}
"""


@pytest.fixture
def pair(up):
    """A profile that two workers share, on the shared platform; the file of its scenario."""
    peak = (up.root / "loadtests" / "chat-peak.conf").read_text()
    up.write("loadtests/chat-shared.conf", peak.replace("request-timeout = 30s", "request-timeout = 6s\nworkers = 2"))
    up.forget_latest()
    yield up, up.scenario(SHARED)
    assert up.load_processes() == []


def beating(bench) -> set[int]:
    """Workers that have told of themselves."""
    lines = bench.latest() / LINES
    text = lines.read_text() if (bench.runs / "latest").exists() and lines.exists() else ""
    return {number for number in (0, 1) if f'"worker":{number}}}' in text}


def test_a_load_that_two_workers_share_is_one_load_with_one_record_and_is_trusted(pair):
    bench, scenario = pair
    answer, told = bench.decided("run", scenario)
    assert answer == 0, told
    assert set(bench.checks().values()) == {"PASS"}
    requests = pd.read_parquet(bench.latest() / "requests.parquet")
    (started,) = [event for event in bench.events("load") if event["step"] == "started"]
    # Every arrival of the plan once, in order.
    assert requests["id"].tolist() == list(range(started["expected"]))
    beats = pd.read_parquet(bench.latest() / "beats.parquet")
    assert set(beats["worker"]) == {0.0, 1.0}
    assert beats.groupby("worker")["sent"].max().sum() == len(requests)


def test_a_worker_killed_in_mid_run_makes_the_run_unknown_and_is_named_and_nothing_stays_behind(pair):
    bench, scenario = pair
    run = bench.start("run", scenario)
    until(lambda: beating(bench) == {0, 1}, 60, "both workers at work")
    pids = bench.load_processes()
    workers = [pid for pid in pids if psutil.Process(pid).ppid() in pids]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    # 12 s of load, 6 s of patience with each answer, the witnesses' last word; nobody waits for the dead one.
    told, _ = run.communicate(timeout=60)
    assert run.returncode == 10, told
    (check,) = [one for one in bench.verdict()["checks"] if one["name"] == "load offered"]
    assert check["state"] == "UNKNOWN"
    assert "the load generator stopped early" in check["seen"]
    assert "was lost at second" in check["seen"]
    assert "no heartbeat came any more" in check["seen"]
    assert bench.checks()["platform restored"] == "PASS"
