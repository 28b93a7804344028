"""The command line as a user types it: exit codes, messages, and what stays on disk. No platform is needed."""

from __future__ import annotations

import json

import pytest

from bench import make_bench

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


def test_help_names_every_command_and_costs_no_project(bench, tmp_path):
    code, text = bench.do("--help")
    assert code == 0
    assert {"check", "down", "gate", "judge", "logs", "plan", "run", "up"} <= set(text.split())


@pytest.mark.parametrize("words", [["fly"], ["run"], ["up", "--port", "gateway"], ["plan", "--nonsense"]])
def test_a_command_that_does_not_exist_ends_with_2(bench, words):
    code, text = bench.do(*words)
    assert code == 2
    assert "Error" in text


def test_check_says_what_is_valid(bench):
    assert bench.do("check") == (0, "1 scenario and all they name are valid\n")


def test_check_points_at_the_mistake_and_says_what_to_do(bench):
    path = bench.root / "scenarios/quickstart.yaml"
    path.write_text(path.read_text().replace("within: 15s", "within: 15"))
    code, text = bench.do("check")
    line = next(number for number, line in enumerate(path.read_text().splitlines(), 1) if "within: 15}" in line)
    assert code == 2
    assert f"scenarios/quickstart.yaml:{line}:" in text
    assert "^^" in text
    assert "duration such as 40s" in text


def test_check_of_a_project_without_scenarios_is_not_a_pass(bench):
    (bench.root / "scenarios/quickstart.yaml").unlink()
    assert bench.do("check")[0] == 2


def test_plan_touches_nothing_and_speaks_json(bench):
    before = sorted(path for path in bench.root.rglob("*"))
    code, text = bench.do("plan", "scenarios/quickstart.yaml", "--json")
    (plan,) = json.loads(text)
    assert (code, plan["requests"]) == (0, sum(phase["requests"] for phase in plan["phases"]))
    assert sorted(path for path in bench.root.rglob("*")) == before
    assert not bench.runs.exists()
    assert not bench.state.exists()


def test_plan_of_what_cannot_be_proved_ends_with_10(bench):
    path = bench.root / "scenarios/quickstart.yaml"
    path.write_text(path.read_text().replace("objective: 92%", "objective: 99.99%"))
    code, text = bench.do("plan", str(path))
    assert code == 10
    assert "cannot pass" in text


def test_schema_is_json_schema_of_every_kind(bench):
    code, text = bench.do("schema")
    assert code == 0
    kinds = [one["title"] for one in json.loads(text)["properties"]["expect"]["items"]["anyOf"]]
    assert kinds == ["alert", "budget", "invariant", "latency", "recovery", "slo"]


def test_the_committed_rules_are_those_of_the_slo_files(bench):
    assert bench.do("slo", "generate", "--check")[0] == 0
    path = bench.root / "slos/gateway.yaml"
    path.write_text(path.read_text().replace("objective: 99\n", "objective: 98\n"))
    assert bench.do("slo", "generate", "--check") == (1, "stale slos/rules/gateway.yaml\n")
    assert bench.do("slo", "generate")[0] == 0
    assert bench.do("slo", "generate", "--check")[0] == 0


def test_a_gate_without_scenarios_is_a_mistake_and_never_a_pass(bench):
    code, text = bench.do("gate", "prod")
    assert code == 2
    assert "gates: quickstart" in text


def test_a_gate_that_cannot_run_leaves_no_earlier_pass_to_be_read(bench):
    bench.runs.mkdir()
    decision = bench.runs / "gate-quickstart.json"
    decision.write_text('{"verdict": "PASS"}')
    assert bench.do("gate", "quickstart")[0] == 75
    assert json.loads(decision.read_text())["verdict"] == "UNKNOWN"
    assert json.loads(decision.read_text())["missing"] == ["quickstart"]


def test_without_a_platform_each_command_says_how_to_get_one(bench):
    for words in (["chaos", "status"], ["chaos", "undo"], ["run", "scenarios/quickstart.yaml"]):
        code, text = bench.do(*words)
        assert (code, "hint: holdfast up" in text) == (75, True)
    assert bench.do("status")[0] == 75
    assert bench.do("down") == (0, "down\n")


def test_a_folder_that_is_no_run_cannot_be_judged(bench):
    assert bench.do("judge", "nowhere")[0] == 2
    assert bench.do("report", str(bench.root))[0] == 2


def test_outside_a_project_there_is_nothing_to_do(bench, tmp_path):
    (bench.root / "scenarios").rename(tmp_path / "elsewhere")
    code, text = bench.do("check")
    assert code == 2
    assert "Holdfast project" in text
