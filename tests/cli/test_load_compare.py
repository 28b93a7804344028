"""`holdfast load compare`: two run folders in, one answer out, and no answer from a record in doubt."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from examples import write_project, write_run
from holdfast.cli import cli
from holdfast.project import load_scenario
from holdfast.testing import a_timeline


@pytest.fixture
def record(tmp_path):
    """Writes a run folder: baseline 20 s, fault 20 s, recovery 300 s at 12 requests/s."""
    path = write_project(tmp_path / "project", scenario=("for: 30s", "for: 300s"))
    scenario = load_scenario(path, tmp_path / "project")

    def write(name, **changes):
        return str(write_run(tmp_path / name, a_timeline(scenario=scenario, **changes)))

    return write


def told(*words):
    done = CliRunner().invoke(cli, ["load", "compare", *words, "--json"], standalone_mode=False)
    assert done.exception is None, done.output
    return done.return_value, json.loads(done.output)


def test_the_same_load_on_the_same_platform_is_no_slower(record):
    # The 99th percentile of some 3,800 requests is known within a fifth.
    code, found = told(record("a"), record("b"), "--margin", "30%", "--failing", "2%")
    assert (code, found["state"]) == (0, "PASS")
    assert found["sentence"] == "Nothing is worse by more than the margin."
    assert (found["base"], found["new"]) == (["a"], ["b"])


def test_what_was_not_measured_well_enough_is_named(record):
    code, found = told(record("a"), record("b"), "--margin", "10%", "--failing", "2%")
    assert (code, found["sentence"]) == (10, "Not decided: e2e p99. More requests would tell.")


def test_more_failures_fail_and_are_named(record):
    # Requests that fail one after the other are one outage, so it takes a long one to prove anything.
    code, found = told(record("a"), record("b", bad={"recovery": 3000}))
    assert (code, found["state"]) == (1, "FAIL")
    assert "failed" in found["sentence"]


def test_a_client_that_was_late_proves_nothing(record):
    code, found = told(record("a"), record("b", lateness=0.5))
    assert (code, found["state"]) == (10, "UNKNOWN")
    assert any("load on time" in trouble for trouble in found["troubles"])


def test_an_unknown_phase_is_refused_with_those_that_are_there(record):
    done = CliRunner().invoke(cli, ["load", "compare", record("a"), record("b"), "--during", "peak"])
    assert "no phase peak" in str(done.exception)
    assert done.exception.hint == "its phases: warmup, baseline, fault, recovery"


def test_a_folder_that_is_no_run_is_refused(tmp_path, record):
    done = CliRunner().invoke(cli, ["load", "compare", record("a"), str(tmp_path)])
    assert "is not a run folder" in str(done.exception)


def test_a_person_reads_a_table_and_what_one_run_cannot_show(record):
    done = CliRunner().invoke(cli, ["load", "compare", record("a"), record("b")], standalone_mode=False)
    assert "ttft p50" in done.output
    assert "99 % interval" in done.output
    assert "Further pairs: --and A B" in done.output
