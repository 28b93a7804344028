"""The promise about documents: proved while one engine is dead, refuted when all are, and by whom."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.mark.timed
def test_documents_keep_their_promises_while_one_engine_is_dead(bench):
    code, text = bench.decided("gate", "documents", "--up")
    assert code == 0, text
    assert {check["state"] for check in bench.verdict()["checks"]} == {"PASS"}


@pytest.mark.slow
@pytest.mark.timed
def test_with_every_engine_dead_the_promises_are_seen_to_break(bench):
    assert bench.do("up")[0] == 0
    scenario = (bench.root / "scenarios/documents.yaml").read_text()
    for old, new in {
        "chaos: engine-kill": "chaos: engines-kill",
        "for: 20s}": "for: 12s}",
        "{slo: platform/documents-p95, during: [baseline, recovery]}": "{slo: platform/documents-p95, during: [fault]}",
    }.items():
        assert old in scenario
        scenario = scenario.replace(old, new)
    bench.write("scenarios/documents.yaml", scenario)
    code, text = bench.decided("run", "scenarios/documents.yaml")
    assert code == 1, text
    states = {one["id"]: one["state"] for one in bench.verdict()["expectations"]}
    assert states["slo:platform/documents-p95[fault]"] == "FAIL"
    assert states["slo:documents/availability[fault]"] == "FAIL"
    # Both witnesses saw it: the service answered 503, and counted that against itself.
    assert bench.checks()["witnesses agree"] == "PASS"
