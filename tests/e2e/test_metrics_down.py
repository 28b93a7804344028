"""While Prometheus is away clients are served as before, and nobody may say that this was proved."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.timeout(300)]


def test_without_the_second_witness_the_verdict_is_unknown_and_never_pass(bench):
    assert bench.do("up")[0] == 0
    code, text = bench.decided("run", "scenarios/metrics-down.yaml")
    assert code == 10, text
    checks = bench.checks()
    assert checks["fault seen to bite"] == checks["platform restored"] == "PASS"
    assert checks["load offered"] == checks["load on time"] == "PASS"
    assert checks["prometheus watched"] == "UNKNOWN"
    verdicts = {one["id"]: one for one in bench.verdict()["expectations"]}
    unjudged = verdicts["slo:gateway/availability[fault,recovery]"]
    assert unjudged["state"] == "UNKNOWN"
    # What clients saw is in the record all the same: the data plane did not notice.
    assert "Otherwise: PASS" in unjudged["sentence"]
