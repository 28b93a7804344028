"""A session of a frozen gate is not green, whatever its runs prove; only a reason opens it, and stands in the end."""

from __future__ import annotations

import json
import time

import pytest

from holdfast.errors import ExitCode

POLICY = """
[tool.holdfast.freeze]
budget-left = "10%"
slos = ["gateway/availability"]
review = "review.json"
"""


@pytest.fixture
def spent(project):
    """`spent(share)`: a review made now says that so much of the budget is gone; the gates named ask it, or all."""

    def write(share, gates=()):
        table = POLICY + (f"gates = {json.dumps(gates)}\n" if gates else "")
        settings = project.root / "pyproject.toml"
        settings.write_text(settings.read_text(encoding="utf-8") + table, encoding="utf-8")
        slo = {"slo": "gateway/availability", "low": share, "high": share}
        review = {"schema": "holdfast/budget/v1", "until": time.time(), "slos": [slo]}
        (project.root / "review.json").write_text(json.dumps(review), encoding="utf-8")

    return write


def test_enough_budget_changes_nothing(project, good, spent):
    spent(0.5)
    found = project.run(good)
    assert (found.ret, found.parseoutcomes()) == (ExitCode.PASS, {"passed": 4})
    found.stdout.no_fnmatch_line("*frozen*")


def test_a_frozen_gate_fails_although_its_run_would_pass(project, good, spent):
    spent(0.95)
    found = project.run(good)
    assert (found.ret, found.parseoutcomes()) == (ExitCode.FAIL, {"failed": 4})
    found.stdout.fnmatch_lines(
        ["*gate quickstart is not open: frozen: gateway/availability: 5% of its budget is left (freeze at 10%)*"]
    )


@pytest.mark.parametrize("words", [["-k", "recovery"], ["-k", "trust"]])
def test_no_part_of_a_frozen_gate_is_green(project, good, spent, words):
    spent(0.95)
    assert project.run(good, "--holdfast-partial", *words).ret == ExitCode.FAIL


def test_a_budget_that_cannot_be_read_is_unknown(project, good, spent):
    spent(0.5)
    (project.root / "review.json").unlink()
    found = project.run(good)
    assert (found.ret, found.parseoutcomes()) == (ExitCode.UNKNOWN, {"unknown": 4})
    found.stdout.fnmatch_lines(["*whether it is frozen cannot be read: gateway/availability: review.json:*"])


def test_a_policy_with_a_mistake_opens_nothing(project, good, spent):
    spent(0.5, gates=["quickstart"])
    settings = project.root / "pyproject.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"10%"', '"ten"'), encoding="utf-8")
    assert project.run(good).ret == ExitCode.UNKNOWN


def test_a_gate_that_the_policy_does_not_name_is_open(project, good, spent):
    spent(0.95, gates=["staging-to-prod"])
    assert project.run(good).ret == ExitCode.PASS


def test_nothing_is_played_while_it_is_frozen(project, spent):
    spent(0.95)
    found = project.run("--holdfast-state=none")
    assert (found.ret, found.parseoutcomes()) == (ExitCode.FAIL, {"failed": 4})
    assert not (project.root / "runs").exists()


def test_a_reason_passes_over_it_and_stands_in_the_summary(project, good, spent):
    spent(0.95)
    found = project.run(good, "--holdfast-despite-freeze", "rolls back the outage")
    assert (found.ret, found.parseoutcomes()) == (ExitCode.PASS, {"passed": 4})
    found.stdout.fnmatch_lines(
        ["gate quickstart: frozen: gateway/availability: *", "gate quickstart: passed over: rolls back the outage"]
    )


def test_a_reason_proves_nothing_else(project, stories, spent):
    spent(0.95)
    stored = project.stored(**stories[ExitCode.UNKNOWN])
    assert project.run(stored, "--holdfast-despite-freeze", "a fix").ret == ExitCode.UNKNOWN


def test_an_empty_reason_is_none(project, good, spent):
    spent(0.95)
    found = project.run(good, "--holdfast-despite-freeze", " ")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*--holdfast-despite-freeze needs a reason*"])


@pytest.mark.slow
def test_workers_bring_the_reason_to_the_controller(project, good, spent):
    spent(0.95)
    assert project.start(good, "-n2").ret == ExitCode.FAIL
    found = project.start(good, "-n2", "--dist", "loadgroup", "--holdfast-despite-freeze", "a fix")
    assert found.ret == ExitCode.PASS
    found.stdout.fnmatch_lines(["gate quickstart: passed over: a fix"])
