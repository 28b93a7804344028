"""The command line as a user types it: exit codes, messages, and what stays on disk. No platform is needed."""

from __future__ import annotations

import json
import math
import re

import pytest

from bench import make_bench
from holdfast.units import show_duration

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
    count = len(list((bench.root / "scenarios").glob("*.yaml")))
    assert bench.do("check") == (0, f"{count} scenarios and all they name are valid\n")
    assert bench.do("check", "scenarios/quickstart.yaml") == (0, "1 scenario and all they name are valid\n")


def test_check_points_at_the_mistake_and_says_what_to_do(bench):
    path = bench.root / "scenarios/quickstart.yaml"
    path.write_text(path.read_text().replace("within: 5s", "within: 5"))
    code, text = bench.do("check")
    line = next(number for number, line in enumerate(path.read_text().splitlines(), 1) if "within: 5}" in line)
    assert code == 2
    assert f"scenarios/quickstart.yaml:{line}:" in text
    assert "^" in text
    assert "duration such as 40s" in text


def test_check_of_a_project_without_scenarios_is_not_a_pass(bench):
    for path in (bench.root / "scenarios").glob("*.yaml"):
        path.unlink()
    assert bench.do("check")[0] == 2


def test_plan_touches_nothing_and_speaks_json(bench):
    before = sorted(path for path in bench.root.rglob("*"))
    code, text = bench.do("plan", "scenarios/quickstart.yaml", "--json")
    whole = json.loads(text)
    (plan,) = whole["plans"]
    assert (code, plan["requests"]) == (0, sum(phase["requests"] for phase in plan["phases"]))
    assert (whole["takes"], whole["requests"]) == (plan["takes"], plan["requests"])
    assert plan["needs"]["roles"] == ["engine"]
    assert sorted(path for path in bench.root.rglob("*")) == before
    assert not bench.runs.exists()
    assert not bench.state.exists()


@pytest.fixture
def hopeless(bench):
    """The quickstart asking for more than it can prove, and judging a phase that nobody looks at."""
    path = bench.root / "scenarios/quickstart.yaml"
    text, changed = re.subn(r"(during: \[fault\], objective: )[\d.]+%", r"\g<1>99.99%", path.read_text())
    assert changed == 1
    path.write_text(text.replace("  - {name: fault,", "  - {name: soak, for: 5s}\n  - {name: fault,"))
    return bench


def test_plan_of_what_cannot_be_proved_ends_with_10_and_says_the_smallest_way_out(hopeless):
    code, text = hopeless.do("plan", "scenarios/quickstart.yaml")
    assert code == 10
    assert "cannot pass" in text
    line = next(line for line in text.splitlines() if "] cannot pass: " in line)
    file, number, _, what = line.split(":", 3)
    assert file == "scenarios/quickstart.yaml"
    assert "objective: 99.99%" in (hopeless.root / file).read_text().splitlines()[int(number) - 1]
    assert "29956 clean ones needed" in what
    assert "phase 'soak' is judged, but no expectation looks at it" in text
    assert text.count("^^^") >= 2
    path = hopeless.root / file
    lower = text.partition("in phase fault (now 20s), or objective: ")[2].split("\n")[0]
    eased = path.read_text().replace("objective: 99.99%", f"objective: {lower}")
    path.write_text(eased.replace("{name: soak, for: 5s}", "{name: soak, for: 5s, judged: false}"))
    assert hopeless.do("plan", "scenarios/quickstart.yaml")[0] == 0


def test_plan_adds_several_scenarios_up(bench):
    code, text = bench.do("plan", "scenarios/quickstart.yaml", "scenarios/quickstart.yaml")
    once = json.loads(bench.do("plan", "scenarios/quickstart.yaml", "--json")[1])
    takes, requests = show_duration(math.ceil(2 * once["takes"])), 2 * once["requests"]
    assert (code, f"all 2 scenarios: about {takes}, {requests} requests" in text) == (0, True)


def test_run_refuses_what_plan_says_cannot_be_decided_before_it_looks_for_a_platform(hopeless):
    problems = hopeless.do("plan", "scenarios/quickstart.yaml", "--json")[1]
    code, text = hopeless.do("run", "scenarios/quickstart.yaml")
    assert code == 2
    told = json.loads(problems)["plans"][0]["problems"]
    assert len(told) == 2
    assert [one["what"] in text and one["hint"] in text for one in told] == [True, True]
    assert "holdfast run --undecided-ok" in text
    assert not hopeless.runs.exists()


def test_run_takes_it_all_the_same_when_told_so(hopeless):
    # No platform is up: it got as far as looking for one.
    code, text = hopeless.do("run", "--undecided-ok", "scenarios/quickstart.yaml")
    assert (code, "hint: holdfast up" in text) == (75, True)


def test_a_gate_that_cannot_pass_is_refused_before_a_platform_comes_up_and_knows_no_way_around(hopeless):
    code, text = hopeless.do("gate", "quickstart", "--up")
    assert (code, "cannot pass" in text) == (2, True)
    assert not hopeless.state.exists()
    assert json.loads((hopeless.runs / "gate-quickstart.json").read_text())["verdict"] == "UNKNOWN"
    code, text = hopeless.do("gate", "quickstart", "--undecided-ok")
    assert (code, "No such option" in text) == (2, True)


def test_schema_is_json_schema_of_every_kind(bench):
    code, text = bench.do("schema")
    assert code == 0
    kinds = [one["title"] for one in json.loads(text)["properties"]["expect"]["items"]["anyOf"]]
    assert kinds == ["alert", "budget", "compare", "invariant", "latency", "metric", "recovery", "slo"]


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
    gates = text.partition("gates: ")[2].split("\n")[0].split(", ")
    assert {"catalogue", "documents", "quick", "quickstart"} <= set(gates)
    assert gates == sorted(gates)


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
