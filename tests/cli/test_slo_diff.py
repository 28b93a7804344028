"""`holdfast slo diff` in a project of its own with a Git history: what it says, where, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "slo-diff"

BEFORE = """\
version: prometheus/v1
service: gateway
slos:
  - name: availability
    objective: 99.9
    labels: {sli: availability}
    sli:
      events:
        error_query: sum(rate(requests_total{outcome=~"failed|rejected"}[{{.window}}]))
        total_query: sum(rate(requests_total[{{.window}}]))
    alerting:
      name: GatewayAvailability
      page_alert: {}
      ticket_alert: {}
  - name: ttft
    objective: 95
    labels: {sli: ttft, bound: 500ms}
    sli:
      events:
        error_query: sum(rate(slow_total[{{.window}}]))
        total_query: sum(rate(requests_total[{{.window}}]))
    alerting: {name: GatewayTtft}
"""
LOOSER = BEFORE.replace("99.9", "99").replace("|rejected", "").replace("bound: 500ms", "bound: 1s")
DASHBOARD = '{"expr": "slo:period_error_budget_remaining:ratio{sloth_id=\\"gateway-ttft\\"}"}\n'


@pytest.fixture
def project(tmp_path):
    (tmp_path / "slos").mkdir()
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "slos" / "gateway.yaml").write_text(BEFORE, encoding="utf-8")
    (tmp_path / "dashboards" / "slo.json").write_text(DASHBOARD, encoding="utf-8")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def run(project):
    def run(*words):
        code = "from holdfast.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, "slo", "diff", *words],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def change(project, text):
    (project / "slos" / "gateway.yaml").write_text(text, encoding="utf-8")


def test_a_folder_beside_its_last_revision_unchanged_passes(run):
    done = run("HEAD:slos", "slos")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "PASS: no change (2 SLOs before, 2 after)\n"


def test_a_looser_file_fails_line_by_line_as_compilers_say_it(run, project, golden):
    change(project, LOOSER)
    done = run("HEAD:slos", "slos", "--uses", "dashboards")
    assert done.returncode == 1
    golden(GOLDEN / "looser.txt", done.stdout + done.stderr)
    golden(GOLDEN / "looser.md", run("HEAD:slos/gateway.yaml", "slos/gateway.yaml", "--markdown").stdout)


def test_what_was_removed_and_is_still_drawn_fails_however_it_was_announced(run, project):
    change(project, BEFORE[: BEFORE.index("  - name: ttft")])
    done = run("HEAD:slos", "slos", "--uses", "dashboards", "--retired", "gateway/ttft", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"]) == (1, "FAIL")
    assert [(one["kind"], one["where"], one["verdict"]) for one in told["changes"]] == [
        ("still used", "dashboards/slo.json:1:51", "FAIL"),
        ("removed", "HEAD:slos/gateway.yaml:15:5", "PASS"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere", "slos"), "no such file or folder: nowhere"),
        (("HEAD~9:slos", "slos"), "git: "),
        (("HEAD:slos", "HEAD:nowhere"), "git: "),
        (("--", "--output=x:y", "slos"), "no such file or folder"),
        (("HEAD:slos", "slos", "--uses", "nowhere"), "no such file or folder: nowhere"),
    ],
)
def test_a_side_that_is_not_there_is_a_mistake_and_never_an_empty_side(run, project, words, said):
    done = run(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (project / "x:y").exists()


def test_problems_of_both_sides_are_told_at_once(run, project):
    (project / "old.yaml").write_text(BEFORE.replace("objective: 95", "objective: 100"), encoding="utf-8")
    change(project, BEFORE.replace("objective: 99.9", "objective: 0"))
    done = run("old.yaml", "slos")
    assert done.returncode == 2
    assert "old.yaml:16:16" in done.stderr
    assert "slos/gateway.yaml:5:16" in done.stderr


def test_two_empty_folders_prove_nothing(run, project):
    for name in ("a", "b"):
        (project / name).mkdir()
    assert run("a", "b").returncode == 10
