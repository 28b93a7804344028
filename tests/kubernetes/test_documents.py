"""A document that calls what nothing proves, bounds or takes back is refused with place, caret and hint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from holdfast import app, project
from holdfast.errors import NotHereError
from holdfast.experiments.check import experiment_problems
from holdfast.experiments.listing import experiment_rows, not_run
from holdfast.model.verdict import State

ROOT = Path(__file__).parents[2]
OURS = ("gpu-memory-hog", "node-drain", "pod-kill", "pods-cut-off")


def problems(tmp_path, *changes, name="pod-kill"):
    text = (ROOT / "chaos" / f"{name}.yaml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "chaos" / "x.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return experiment_problems(path, tmp_path)


KILL = "chaosk8s.pod.actions.terminate_pods"
HEALTHY = "chaosk8s.deployment.probes.deployment_available_and_healthy"
GIVEN = "{label_selector: app=engine, ns: '${namespace}', qty: 1, grace_period: 0}"
REFUSED = {
    "drains that leave pods behind": (
        (KILL, "chaosk8s.node.actions.drain_nodes"),
        "drain_nodes is refused: it leaves pods with an emptyDir",
        "use holdfast.chaos.cluster.drain_node",
    ),
    "applies that fail": (
        (KILL, "chaosk8s.crd.actions.apply_from_yaml"),
        "is refused: it fails on every client",
        "use",
    ),
    "deletes without a name": (
        (KILL, "chaosk8s.deployment.actions.delete_deployment"),
        "is refused: as an action",
        "use",
    ),
    "probes that raise": (
        (HEALTHY, "chaosk8s.deployment.probes.deployment_partially_available"),
        "is refused: it raises TypeError",
        HEALTHY,
    ),
    "probes that cannot fail": (
        (HEALTHY, "chaosk8s.pod.probes.pod_is_not_available"),
        "is true when nothing matches",
        "",
    ),
    "what nobody has aimed": (
        (KILL, "chaosk8s.pod.actions.terminate_pod"),
        "is not an action that can be",
        "did you mean",
    ),
    "everything in a namespace": (
        (GIVEN, "{ns: '${namespace}'}"),
        "it needs one of label_selector or name_pattern",
        "",
    ),
    "the default namespace": (
        (GIVEN, "{label_selector: app=engine}"),
        "without ns nobody knows what it would hit",
        "ns: …",
    ),
    "no proof": (("        proof:\n", "        prof:\n"), "unknown key 'prof'", "did you mean proof?"),
    "no driver named": (
        ("driver: kubernetes}", "driver: kubernets}"),
        "there is no driver 'kubernets'",
        "did you mean",
    ),
    "another module's hold": (
        ("module: holdfast.chaos.kubernetes\n      func: act", "module: holdfast.chaos.activities\n      func: act"),
        "looks for an embedded platform",
        "holdfast.chaos.kubernetes",
    ),
    "no rollback": (
        (f"arguments: {{action: {KILL}}}", "arguments: {action: other}"),
        f"no rollback takes {KILL} back",
        "",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses(tmp_path, name):
    change, what, hint = REFUSED[name]
    found = problems(tmp_path, change)
    told = [one for one in found if what in one.what]
    assert told, [one.what for one in found]
    assert hint in told[0].hint
    assert told[0].where.line > 1
    assert "^" in str(told[0])


def test_an_action_without_proof_is_refused_at_its_arguments(tmp_path):
    text = (ROOT / "chaos" / "pod-kill.yaml").read_text()
    document = yaml.safe_load(text)
    del document["method"][0]["provider"]["arguments"]["proof"]
    path = tmp_path / "chaos" / "x.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(document))
    (found,) = experiment_problems(path, tmp_path)
    assert found.what == "required key 'proof' is missing"


def test_a_function_called_past_us_is_refused(tmp_path):
    given = (
        "module: holdfast.chaos.kubernetes\n      func: act",
        "module: chaosk8s.pod.actions\n      func: terminate_pods",
    )
    found = [one for one in problems(tmp_path, given) if "without proof" in one.what]
    assert found[0].what == f"{KILL} is called without proof"
    assert found[0].hint == "module: holdfast.chaos.kubernetes, func: act"


def test_what_must_be_taken_back_says_by_what(tmp_path):
    back = "chaosk8s.node.actions.uncordon_node"
    (found,) = problems(tmp_path, (back, "chaosk8s.pod.actions.exec_in_pods"), name="node-drain")
    assert found.hint == back


@pytest.mark.parametrize("name", OURS)
def test_ours_are_listed_as_not_run_here(name):
    (row,) = [one for one in experiment_rows(ROOT) if one.name == name]
    assert not_run(row, None) == "not run: needs driver kubernetes"


@pytest.mark.parametrize("name", ["node-drain", "gpu-memory-hog"])
def test_a_scenario_that_needs_a_cluster_is_not_run_and_unknown(name):
    scenario = project.load_scenario(ROOT / "scenarios" / f"{name}.yaml", ROOT)
    with pytest.raises(NotHereError, match=f"{name} was not run: needs driver kubernetes") as raised:
        app.refuse_elsewhere(scenario)
    assert raised.value.exit_code == State.UNKNOWN.exit_code


def test_a_gate_that_selects_them_is_unknown_and_names_them(tmp_path):
    words = ["gate", "kubernetes", "--runs", str(tmp_path), "--state", str(tmp_path / "none")]
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == State.UNKNOWN.exit_code, done.stderr
    assert "node-drain was not run: needs driver kubernetes: UNKNOWN" in done.stderr
    assert "gate kubernetes: UNKNOWN (no verdict: gpu-memory-hog, node-drain)" in done.stderr


def changed(tmp_path, experiment, back):
    document = yaml.safe_load((ROOT / "chaos" / f"{experiment}.yaml").read_text())
    document["method"][0]["provider"]["arguments"]["back"]["arguments"] = back
    path = tmp_path / "chaos" / "x.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(document))
    return [one.what for one in experiment_problems(path, tmp_path)]


@pytest.mark.parametrize(
    ("name", "back", "what"),
    [
        ("node-drain", {"name": "node-b"}, "it takes back name 'node-b', and"),
        ("node-drain", {"label_selector": "pool=gpu"}, "it takes back label_selector 'pool=gpu', and None is struck"),
        ("pods-cut-off", {"ns": "somebody-elses"}, "it takes back ns 'somebody-elses', and"),
    ],
)
def test_a_way_back_to_something_else_is_refused(tmp_path, name, back, what):
    (found,) = changed(tmp_path, name, back)
    assert found.startswith(what)


@pytest.mark.parametrize("name", OURS)
def test_ours_take_back_what_they_strike(tmp_path, name):
    assert list(problems(tmp_path, name=name)) == []
