"""A project on disk: a scenario with everything it names, or every problem, each of them also alone."""

from __future__ import annotations

import pytest

from examples import PROJECT, ROOT, quickstart, write_project
from holdfast.errors import SpecError, UsageError
from holdfast.project import find_root, load_scenario, load_slos, scenario_files


def problems(root, **changes):
    with pytest.raises(SpecError) as caught:
        load_scenario(write_project(root, **changes), root)
    return [(one.where.file, one.what, one.hint) for one in caught.value.problems]


def test_the_quickstart_is_whole():
    scenario = quickstart()
    assert (scenario.name, scenario.seed, scenario.length) == ("quickstart", 7, 75.0)  # 5 + 20 + 20 + 30
    assert [(one.name, one.start, one.end, one.judged) for one in scenario.phases] == [
        ("warmup", 0, 5, False),
        ("baseline", 5, 25, True),
        ("fault", 25, 45, True),
        ("recovery", 45, 75, True),
    ]
    assert [one.id for one in scenario.expect] == [
        "slo:gateway/availability[baseline,recovery]",
        "slo:gateway/availability[fault]",
        "slo:gateway/ttft[baseline,recovery]",
        "recovery:gateway/availability",
        "budget:gateway/availability",
        "alert:EngineDown",
        "invariant:answers-complete",
    ]
    assert scenario.experiments["engine-kill"].roles == ("engine",)


@pytest.mark.parametrize("path", scenario_files(ROOT), ids=lambda path: path.stem)
def test_the_scenarios_that_ship_are_whole(path):
    assert load_scenario(path, ROOT).expect


def test_a_scenario_keeps_every_file_it_was_made_from():
    files = quickstart().files
    assert set(files) == {
        "scenarios/quickstart.yaml",
        "slos/gateway.yaml",
        "loadtests/chat-peak.conf",
        "chaos/engine-kill.yaml",
    }
    assert all(text == (PROJECT / name).read_text(encoding="utf-8") for name, text in files.items())


def test_an_objective_may_be_overridden_and_is_the_slos_own_otherwise():
    calm, fault, *_ = quickstart().expect
    assert (calm.objective, calm.limit) == (0.99, 0.01)
    assert (fault.objective, fault.limit) == (0.9, 0.1)


@pytest.mark.parametrize(
    ("old", "new", "what", "hint"),
    [
        ("seed: 7", "sead: 7", "unknown key 'sead'", "did you mean seed?"),
        ("seed: 7", "seed: 7\nseed: 8", "duplicate key 'seed'", "first written in line 8"),
        ("kind: Scenario", "kind: Scene", "expected 'Scenario', got 'Scene'", ""),
        ("for: 5s", "for: 5 parsecs", "expected a duration such as 250ms, 40s or 5m, got '5 parsecs'", ""),
        ("for: 5s", "for: 5", "expected a duration such as 40s, got 5 without a unit", ""),
        ("for: 5s", "for: 100ms", "a phase lasts at least 1s", "Prometheus is scraped once a second"),
        ("name: fault", "name: baseline", "duplicate phase 'baseline'", ""),
        (
            "slo: gateway/ttft",
            "slo: gateway/tfft",
            "no SLO named 'gateway/tfft' in slos/",
            "did you mean gateway/ttft?",
        ),
        ("objective: 90%", "objective: 100%", "an objective of 100% can never be proved", "choose 99.9% or less"),
        ("objective: 90%", "objective: 0%", "an objective of 0% is always kept", "it would prove nothing"),
        ("objective: 90%", "objective: 0.9", "expected a percentage such as 99.9%, got 0.9 without a unit", ""),
        ("chaos: engine-kill", "chaos: engine-kil", "no such file: chaos/engine-kil.yaml", "did you mean engine-kill?"),
        ("load: chat-peak", "load: chat-peek", "no such file: loadtests/chat-peek.conf", "did you mean chat-peak?"),
        ("during: [fault]", "during: [fualt]", "no phase named 'fualt'", "did you mean fault?"),
        ("during: [fault]", "during: [warmup]", "phase 'warmup' is not judged", "take it out, or remove judged: false"),
        ("during: [fault]", "during: []", "expected at least one item", ""),
        ("{invariant:", "{invarient:", "no kind of expectation is named 'invarient'", "did you mean invariant?"),
        (
            "answers-complete",
            "answers-complet",
            "no invariant named 'answers-complet'",
            "did you mean answers-complete?",
        ),
        ("name: quickstart", "name: ../up", "not a name: '../up'", None),
        (", fires-within: 15s, clears-within: 20s", "", "nothing is asked of the alert", None),
    ],
)
def test_each_problem_of_a_scenario_alone(tmp_path, old, new, what, hint):
    found = problems(tmp_path, scenario=(old, new))
    assert ("scenarios/quickstart.yaml", what) in [(file, said) for file, said, _ in found]
    assert hint is None or hint in [told for _, _, told in found]


def test_a_scenario_that_judges_no_phase_would_prove_nothing(tmp_path):
    path = write_project(tmp_path)
    text = path.read_text(encoding="utf-8")
    for name, length in (("baseline", "20s"), ("fault", "20s"), ("recovery", "30s")):
        text = text.replace(f"name: {name}, for: {length}", f"name: {name}, for: {length}, judged: false")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_scenario(path, tmp_path)
    assert "no phase is judged" in [one.what for one in caught.value.problems]


def test_what_needs_a_fault_says_so_when_there_is_none(tmp_path):
    found = [what for _, what, _ in problems(tmp_path, scenario=(", chaos: engine-kill", ""))]
    assert found == ["there is no fault to measure from"] * 2  # recovery, and the alert


def test_a_broken_slo_file_is_told_once_and_its_slos_are_not_called_missing(tmp_path):
    found = problems(tmp_path, slos=("objective: 99\n", "objective: 100\n"))
    assert [(file, what) for file, what, _ in found] == [
        ("slos/gateway.yaml", "objective must lie between 0 and 100, got 100")
    ]


def test_broken_promql_is_a_problem_of_the_scenario_that_uses_it(tmp_path):
    (found,) = problems(tmp_path, slos=("outcome=~", "outcome=~="))
    assert found[0] == "slos/gateway.yaml"
    assert found[1].startswith("not PromQL")


def test_an_slo_that_clients_cannot_witness_is_refused(tmp_path):
    whats = {what for _, what, _ in problems(tmp_path, slos=("labels: {sli: availability}", "labels: {}"))}
    assert whats == {"clients cannot witness SLO 'gateway/availability'"}


def test_a_broken_load_profile_is_told_with_its_own_place(tmp_path):
    (found,) = problems(tmp_path, load=("rate", "rat"))
    assert found[:2] == ("loadtests/chat-peak.conf", "unknown setting rat")


@pytest.mark.parametrize("key", ["title", "description", "method"])
def test_an_experiment_needs_what_chaos_toolkit_needs(tmp_path, key):
    (found,) = problems(tmp_path, chaos=(f"\n{key}:", f"\nx-{key}:"))
    assert found[:2] == ("chaos/engine-kill.yaml", f"a Chaos Toolkit experiment needs {key}:")


def test_problems_of_several_files_come_together(tmp_path):
    found = problems(
        tmp_path,
        scenario=("seed: 7", "sead: 7"),
        slos=("objective: 95", "objective: 0"),
        load=("rate", "rat"),
        chaos=("\nmethod:", "\nmethods:"),
    )
    assert [file for file, _, _ in found] == [
        "chaos/engine-kill.yaml",
        "loadtests/chat-peak.conf",
        "scenarios/quickstart.yaml",
        "slos/gateway.yaml",
    ]


def test_one_slo_in_two_files_is_told_with_both_places(tmp_path):
    path = write_project(tmp_path)
    (tmp_path / "slos" / "more.yaml").write_text((tmp_path / "slos" / "gateway.yaml").read_text(), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_scenario(path, tmp_path)
    assert str(caught.value).count("stands in slos/gateway.yaml:") == 2
    with pytest.raises(SpecError):
        load_slos(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "5", "[]", "a: [", "scenario", "null", "phases: 5\nexpect: 7\n", "phases: [5]\nexpect: [5]"]
)
def test_a_file_that_is_no_scenario_is_a_problem_and_no_traceback(tmp_path, text):
    path = write_project(tmp_path)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError):
        load_scenario(path, tmp_path)


def test_a_scenario_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_scenario(tmp_path / "scenarios" / "none.yaml", tmp_path)


def test_the_project_is_found_from_inside(tmp_path):
    path = write_project(tmp_path)
    assert find_root(path.parent) == tmp_path.resolve()
    assert scenario_files(tmp_path) == (path,)


def test_outside_a_project_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no folder scenarios/"):
        find_root(tmp_path)
