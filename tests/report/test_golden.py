"""Whole reports of one failed run, as committed: read the difference before you accept it with --update-golden."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.model.verdict import Evidence, State
from holdfast.report.junit import junit
from holdfast.report.terminal import verdict_table
from holdfast.testing import a_check, a_place, a_report, a_verdict

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def report():
    ratio = {"unit": "bad-event ratio", "method": "Clopper-Pearson, one-sided bounds", "alpha": 0.05}
    few = Evidence(n=540, bad=3, estimate=3 / 540, low=0.00152, high=0.0143, limit=0.01, more=233, **ratio)
    many = Evidence(n=240, bad=40, estimate=40 / 240, low=0.128, high=0.211, limit=0.05, **ratio)
    late = Evidence(estimate=6.98, limit=10.0, unit="seconds to fire", other={"seconds to clear": 9.5})
    verdicts = (
        a_verdict(),
        a_verdict(
            State.UNKNOWN,
            id="slo:gateway/ttft[baseline,recovery]",
            sentence="3 of 540 requests were bad; 1% may be. Too few to decide: 233 more good requests would prove it.",
            evidence=few,
        ),
        a_verdict(State.FAIL, id="slo:gateway/availability[fault]", sentence="40 of 240 were bad.", evidence=many),
        a_verdict(
            State.UNKNOWN,
            id="alert:EngineDown",
            kind="alert",
            sentence="Not judged: alert path alive: no watchdog for 1m5s. Otherwise: PASS. EngineDown fired 7s after.",
            evidence=late,
            where=a_place(18),
        ),
    )
    doubt = a_check(
        State.UNKNOWN,
        name="alert path alive",
        seen="no watchdog for 1m5s",
        limit="one every 20s",
        reason="an alert path that is dead is silent too",
        spoils=frozenset({"alert"}),
    )
    return a_report(verdicts, (a_check(), doubt, a_check(name="clock sane")))


def test_the_table_in_80_columns(report, golden):
    golden(GOLDEN / "failed-80.txt", verdict_table(report, 80, color=False))


def test_the_table_in_160_columns(report, golden):
    golden(GOLDEN / "failed-160.txt", verdict_table(report, 160, color=False))


def test_the_junit_file(report, golden):
    golden(GOLDEN / "failed.xml", junit([report]))
