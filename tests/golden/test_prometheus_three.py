"""What is generated holds on Prometheus 3 as well: its promtool loads the rules, and plays the tests that they ship."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.model.slo import AlertPolicy, Calendar, Exclusion, RatioTimeslices, Threshold, Timeslices
from holdfast.objectives.trial import tried
from holdfast.platforms.tools import Program
from holdfast.sources.promtool import Promtool
from holdfast.testing import a_ttft_slo, an_slo
from promtool_three import promtool_three

ROOT = Path(__file__).parents[2]
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
BOTH = {"alert": "Gateway", "page": AlertPolicy(), "ticket": AlertPolicy(), "labels": {"owner": "us"}}
KINDS = {
    "events": an_slo(**BOTH),
    "a bound": a_ttft_slo(**BOTH),
    "slices": an_slo(**BOTH, budgeting=Timeslices(length=300, target=0.9)),
    "ratio slices": an_slo(**BOTH, budgeting=RatioTimeslices(length=300)),
    "a gauge": an_slo(**BOTH, indicator=Threshold(query='max(temperature{room="a"})', op="lt", value=70)),
    "a calendar": an_slo(**BOTH, window=Calendar(unit="month", start=datetime(2026, 1, 1, tzinfo=UTC))),
    "an exclusion": an_slo(
        **BOTH, exclusions=(Exclusion(reason="moved", start=datetime(2026, 12, 1, tzinfo=UTC), length=7200.0),)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_that_every_slo_ships_hold(kind, tmp_path):
    tool = Promtool(Program(name="promtool", path=promtool_three(), version=(3,), environment={}))
    (found,) = tried([KINDS[kind]], tmp_path, tool, TODAY)
    assert (str(found.state), found.failed) == ("PASS", ())


@pytest.mark.parametrize("path", sorted((ROOT / "slos" / "rules").glob("*.yaml")), ids=lambda path: path.name)
def test_the_committed_rules_can_be_loaded(path):
    done = subprocess.run([promtool_three(), "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
