"""The committed Prometheus rules are what the committed SLOs give, and Prometheus' own tool accepts them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from holdfast.errors import InfrastructureError
from holdfast.platforms.tools import cache_folder, locate
from holdfast.slo.files.read import read_slos
from holdfast.slo.rules import rule_file
from holdfast.slo.tiers import GOOGLE
from holdfast.testing import a_ttft_slo, an_slo

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "slos").glob("*.yaml"))
DAY = 86_400


def rules_of(path):
    return rule_file(read_slos(path.read_text(encoding="utf-8"), path.name)[0])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_committed_rules_are_what_the_slos_give(path, golden):
    golden(ROOT / "slos" / "rules" / path.name, rules_of(path))


def test_no_rules_are_left_without_their_slos():
    assert {path.name for path in (ROOT / "slos" / "rules").glob("*.yaml")} == {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_promtool_accepts_the_rules(path, tmp_path):
    try:
        tool = locate(["promtool"], path=os.environ["PATH"], cache=cache_folder(os.environ))["promtool"]
    except InfrastructureError as error:
        pytest.skip(str(error))
    file = tmp_path / path.name
    file.write_text(rules_of(path), encoding="utf-8")
    done = subprocess.run(
        [tool.path, "check", "rules", file],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **tool.environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_burn_rate_factors_are_those_of_the_workbook():
    # Share of a 30-day budget x 720 h / long window: 2 % in 1 h, 5 % in 6 h, 10 % in 24 h and in 72 h.
    assert [tier.factor(30 * DAY) for tier in GOOGLE] == [14.4, 6.0, 3.0, 1.0]


def test_every_rule_carries_the_labels_of_its_slo():
    groups = yaml.safe_load(rule_file([an_slo(), a_ttft_slo(alert="Ttft")]))["groups"]
    for rule in (rule for group in groups for rule in group["rules"] if "record" in rule):
        assert rule["labels"]["sloth_id"] in {"gateway-availability", "gateway-ttft"}


def test_rules_of_a_changed_objective_differ_by_its_budget_only():
    def numbers(slo):
        return re.findall(r"0\.0\d+", rule_file([slo]))

    assert set(numbers(an_slo(objective=0.99))) == {"0.01"}
    assert set(numbers(an_slo(objective=0.999))) == {"0.001"}
