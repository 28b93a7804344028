"""verdict.json: the whole report, strict JSON, and a refusal of files that flatter."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.judge import judge
from holdfast.model.verdict import Evidence, Report, State
from holdfast.report.data import from_dict, to_dict
from holdfast.testing import a_check, a_report, a_timeline, a_verdict


def test_a_report_has_these_fields():
    data = to_dict(a_report())
    assert list(data) == [
        "schema", "scenario", "title", "run", "verdict", "summary", "expectations", "checks", "provenance",
    ]  # fmt: skip
    assert data["schema"] == "holdfast/verdict/v1"
    assert data["verdict"] == "PASS"
    assert data["expectations"][0] == {
        "id": "slo:gateway/availability[baseline,recovery]",
        "kind": "slo",
        "state": "PASS",
        "sentence": "0 of 540 requests were bad; at most 0.67 % may be, and 1 % is allowed.",
        "n": 540,
        "bad": 0,
        "n_eff": 449.0,
        "more": None,
        "estimate": 0.0,
        "low": 0.0,
        "high": 0.00665,
        "limit": 0.01,
        "alpha": 0.05,
        "p": 1.0,
        "unit": "ratio",
        "method": "Clopper-Pearson",
        "other": {"prometheus total": 540.0, "prometheus bad": 0.0},
        "where": {"file": "scenarios/engine-kill.yaml", "line": 14, "column": 5},
    }


def test_a_judged_run_survives_the_file():
    report = judge(a_timeline(), {"seed": "7"})
    assert from_dict(json.loads(json.dumps(to_dict(report), allow_nan=False))) == report


@settings(deadline=None)
@given(st.from_type(Report))
def test_reading_what_was_written_gives_the_same_report_and_no_nan_is_ever_written(report):
    written = to_dict(report)
    text = json.dumps(written, allow_nan=False)
    again = from_dict(json.loads(text))
    assert to_dict(again) == written
    assert from_dict(to_dict(again)) == again
    assert again.state is report.state


def test_what_is_not_a_number_is_none():
    seen = Evidence(estimate=math.nan, high=math.inf, other={"x": math.nan})
    written = to_dict(a_report((a_verdict(State.UNKNOWN, evidence=seen),)))["expectations"][0]
    assert (written["estimate"], written["high"], written["other"]) == (None, None, {"x": None})


def test_numbers_of_numpy_become_plain_ones():
    seen = Evidence(n=np.int64(3), estimate=np.float64(0.5), other={"count": np.int64(4)})
    written = to_dict(a_report((a_verdict(evidence=seen),)))["expectations"][0]
    assert json.loads(json.dumps(written))["other"] == {"count": 4}
    assert (written["n"], written["estimate"]) == (3, 0.5)


@pytest.mark.parametrize("state", [State.FAIL, State.UNKNOWN, State.NOT_RESTORED])
def test_a_file_that_says_pass_over_a_worse_expectation_is_refused(state):
    data = {**to_dict(a_report((a_verdict(state),))), "verdict": "PASS"}
    with pytest.raises(UsageError, match=f"says PASS, but what it holds is {state}"):
        from_dict(data)


@pytest.mark.parametrize("missing", ["expectations", "checks"])
def test_a_file_that_says_pass_over_nothing_is_refused(missing):
    with pytest.raises(UsageError, match="what it holds is UNKNOWN"):
        from_dict({**to_dict(a_report()), missing: []})


def test_a_file_that_says_pass_over_a_check_that_did_not_is_refused():
    data = {**to_dict(a_report(checks=(a_check(State.NOT_RESTORED),))), "verdict": "PASS"}
    with pytest.raises(UsageError, match="NOT_RESTORED"):
        from_dict(data)


@pytest.mark.parametrize("data", [{}, {"schema": "holdfast/verdict/v2"}, {"schema": None}])
def test_another_schema_is_refused(data):
    with pytest.raises(UsageError, match="expected schema holdfast/verdict/v1"):
        from_dict(data)


@pytest.mark.parametrize("field", sorted(set(to_dict(a_report())) - {"schema", "summary"}))
def test_a_file_without_one_of_its_fields_is_refused(field):
    data = to_dict(a_report())
    del data[field]
    with pytest.raises(UsageError, match="not a verdict file"):
        from_dict(data)


def test_an_unknown_state_is_refused():
    with pytest.raises(UsageError, match="GREEN"):
        from_dict({**to_dict(a_report()), "verdict": "GREEN"})
