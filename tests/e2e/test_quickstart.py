"""The first page's promise: a platform that holds passes, one that does not fails, and blindness is neither."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from bench import until
from holdfast.platforms.supervisor import Supervisor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.mark.timed
def test_the_quickstart_gate_passes_and_leaves_nothing_behind(bench):
    code, text = bench.decided("gate", "quickstart", "--up")
    assert code == 0, text
    verdict = bench.verdict()
    assert verdict["verdict"] == "PASS"
    assert {check["state"] for check in verdict["checks"]} == {"PASS"}
    suite = ET.parse(bench.latest() / "junit.xml").getroot()
    assert not list(suite.iter("failure"))
    assert not list(suite.iter("error"))
    assert "<svg" in (bench.latest() / "report.html").read_text()
    assert [event["step"] for event in bench.events("fault")] == ["asked", "applied", "observed", "undone", "gone"]
    assert not bench.load_processes()
    assert not (bench.state / "platform.json").exists()
    again, told = bench.do("judge", str(bench.latest()))
    assert again == 0, told
    assert "PASS" in told


@pytest.mark.timed
@pytest.mark.xdist_group("second")  # with the early stop, so that two workers end together
def test_without_failover_the_same_scenario_fails(bench):
    code, text = bench.decided("gate", "quickstart", "--up", "--set", "failover=off")
    assert code == 1, text
    states = {one["id"]: one["state"] for one in bench.verdict()["expectations"]}
    assert states["recovery:gateway/availability"] == "FAIL"


@pytest.mark.slow
def test_with_prometheus_stopped_half_way_nothing_is_known(bench):
    assert bench.do("up")[0] == 0
    run = bench.start("run", "scenarios/quickstart.yaml")
    until(lambda: (bench.runs / "latest").exists() and bench.events("fault"), 60, "the fault")
    Supervisor(bench.platform().record.supervisor.socket).stop("prometheus")
    text, _ = run.communicate(timeout=200)
    assert run.returncode == 10, text
    assert bench.checks()["prometheus watched"] == "UNKNOWN"
    assert bench.verdict()["verdict"] == "UNKNOWN"
