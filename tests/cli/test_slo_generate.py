"""`holdfast slo generate` of many files: as if one after another; nothing is written unless all are right."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MANY = 250
"""Enough for two processes, where there are two processors."""
SLO = """\
version: prometheus/v1
service: shop-{number}
slos:
  - name: requests
    objective: {objective}
    sli:
      events:
        error_query: sum(rate(http_requests_total{{code=~"5.."}}[{{{{.window}}}}]))
        total_query: sum(rate(http_requests_total[{{{{.window}}}}]))
    alerting: {{name: ShopErrors}}
"""


@pytest.fixture
def slos(tmp_path) -> Path:
    folder = tmp_path / "slos"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"{number:03}.yaml").write_text(SLO.format(number=number, objective=99.9))
    return folder


def generate(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from holdfast.cli import main; main()", "slo", "generate", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_many_files_give_what_each_of_them_gives_alone(slos, tmp_path):
    rules = tmp_path / "rules"
    done = generate(slos, "-o", rules, "--compat", "sloth")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"wrote {rules / file.name}" for file in sorted(slos.iterdir())]
    for number in (0, MANY // 2, MANY - 1):
        alone = generate(slos / f"{number:03}.yaml", "--compat", "sloth")
        assert (rules / f"{number:03}.yaml").read_text() == alone.stdout


def test_the_problems_of_all_files_come_at_once_and_nothing_is_written(slos, tmp_path):
    wrong = [slos / f"{number:03}.yaml" for number in (7, 30, 200, 249)]
    for file in wrong:
        file.write_text(SLO.format(number=1, objective=100))
    wrong[1].write_text("slos: [")
    done = generate(slos, "-o", tmp_path / "rules", "--compat", "sloth")
    problems = [line for line in done.stderr.splitlines() if line.startswith(str(slos))]
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(":")[0] for line in problems] == [str(file) for file in wrong]
    assert done.stderr.splitlines()[-1] == "4 problems"
    assert not (tmp_path / "rules").exists()


def test_a_file_without_rules_is_named_as_if_it_were_alone(slos, tmp_path):
    (slos / "201.yaml").write_text("# nothing yet\n")
    done = generate(slos, "-o", tmp_path / "rules", "--compat", "sloth")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"holdfast: {slos / '201.yaml'} gives no rules")
