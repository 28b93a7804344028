"""An experiment that could not be played, or not be taken back, is refused with the place of every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from examples import write_project
from holdfast import app, faults, project
from holdfast.experiments.check import experiment_problems, hold_problems
from holdfast.faults.base import Options

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "chaos").glob("*.yaml"))

GOOD = """\
title: One engine hangs
description: for the tests
method:
  - type: action
    name: stop-one
    provider:
      type: python
      module: holdfast.chaos.activities
      func: strike
      arguments: {fault: stop, role: engine, count: 1}
  - type: action
    name: leave-it-so
    provider:
      type: python
      module: holdfast.chaos.activities
      func: hold
      arguments: {seconds: 8}
rollbacks:
  - type: action
    name: goes-on
    provider:
      type: python
      module: holdfast.chaos.activities
      func: restore
      arguments: {fault: stop, role: engine}
"""


def problems(tmp_path, *changes):
    """What is wrong with GOOD when texts are changed."""
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "chaos" / "x.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return experiment_problems(path, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_of_this_project_is_valid(name):
    assert experiment_problems(ROOT / "chaos" / f"{name}.yaml", ROOT) == []


def test_a_good_one_has_no_problem(tmp_path):
    assert problems(tmp_path) == []


STRIKE = "{fault: stop, role: engine, count: 1}"
RESTORE = "arguments: {fault: stop, role: engine}\n"


@pytest.mark.parametrize(
    ("given", "place", "what", "hint"),
    [
        ("{fault: stpo, role: engine, count: 1}", "10:26", "no fault named 'stpo'", "did you mean stop?"),
        ("{fault: stop, role: 7, count: 1}", "10:38", "expected text, got 7", ""),
        ("{fault: stop, role: '', count: 1}", "10:38", "String should have at least 1 character", ""),
        ("{fault: stop, role: engine}", "10:18", "it does not say how many", "exactly one of count, percent, names"),
        ("{fault: stop, role: engine, names: []}", "10:18", "it does not say how many", "exactly one of"),
        ("{fault: stop, role: engine, count: 1, percent: 9}", "10:56", "it says count and percent", "exactly one of"),
        ("{fault: stop, role: engine, count: 0}", "10:53", "greater than or equal to 1", ""),
        ("{fault: stop, role: engine, count: true}", "10:53", "expected a whole number, got True", ""),
        ("{fault: stop, role: engine, percent: 101}", "10:55", "less than or equal to 100", ""),
        ("{fault: stop, role: engine, count: 1, option: {}}", "10:56", "unknown key 'option'", "did you mean options?"),
        ("{fault: stop, role: engine, count: 1, options: {x: 1}}", "10:66", "unknown key 'x'", ""),
        ("{fault: stop, role: engine, count: 1, within: 0}", "10:64", "greater than 0", ""),
        ("{fault: stop, role: engine, count: 1, within: .inf}", "10:64", "expected a number", ""),
    ],
)
def test_a_wrong_strike_is_told_with_its_place(tmp_path, given, place, what, hint):
    found = [one for one in problems(tmp_path, (STRIKE, given)) if "no rollback" not in one.what]
    assert [(str(one.where), what in one.what, hint in one.hint) for one in found] == [
        (f"chaos/x.yaml:{place}", True, True)
    ], found


def test_a_strike_that_no_rollback_takes_back_is_refused(tmp_path):
    for changed in ("fault: kill, role: engine", "fault: stop, role: gateway"):
        (found,) = problems(tmp_path, (RESTORE, f"arguments: {{{changed}}}\n"))
        assert (str(found.where), found.what) == ("chaos/x.yaml:10:18", "no rollback takes stop of engine back")
        assert found.hint == "a restore with fault: stop, role: engine"


def test_a_restore_in_the_method_is_no_rollback(tmp_path):
    (found,) = problems(tmp_path, ("rollbacks:\n", ""))
    assert "no rollback takes stop of engine back" in found.what


def test_a_strike_in_the_rollbacks_is_refused(tmp_path):
    restore = f"func: restore\n      {RESTORE}"
    strike = f"func: strike\n      arguments: {STRIKE}\n"
    told = problems(tmp_path, (restore, strike))
    assert "a strike in the rollbacks: nothing takes it back" in [one.what for one in told]


@pytest.mark.parametrize(
    ("given", "what"),
    [("{}", "hold needs arguments"), ("{seconds: 8s}", "expected a number"), ("{seconds: -1}", "greater than 0")],
)
def test_a_hold_has_seconds(tmp_path, given, what):
    (found,) = problems(tmp_path, ("{seconds: 8}", given))
    assert what in found.what


def test_what_the_toolkit_refuses_is_told_in_its_words(tmp_path):
    (found,) = problems(tmp_path, ("    name: leave-it-so\n", ""))
    assert "Chaos Toolkit refuses it" in found.what


def test_every_mistake_of_a_file_is_told_at_once(tmp_path):
    found = problems(tmp_path, (STRIKE, "{fault: stpo, role: 5}"), ("{seconds: 8}", "{seconds: -1}"))
    assert len(found) == 4  # the fault, the role, how many, the seconds


def test_a_file_that_is_no_yaml_is_a_problem(tmp_path):
    (found,) = problems(tmp_path, ("title: One", "title: [One"))
    assert "not YAML" in found.what


WITH_OPTIONS = [
    name
    for name in faults.names()
    if faults.find(name).Options is not Options and name != "chaosk8s"  # its options are the arguments of `act`
]


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_the_options_of_every_fault_are_looked_at(tmp_path, name):
    changed = (GOOD.replace("fault: stop", f"fault: {name}"), "count: 1", "count: 1, options: {no-such-option: 1}")
    path = tmp_path / "chaos" / "x.yaml"
    path.parent.mkdir()
    path.write_text(changed[0].replace(*changed[1:]))
    found = experiment_problems(path, tmp_path)
    assert "unknown key 'no-such-option'" in [one.what for one in found]


# Beside a scenario.


def held(tmp_path, seconds, length="12s"):
    path = write_project(tmp_path, scenario=("{name: fault, for: 20s", f"{{name: fault, for: {length}"))
    document = yaml.safe_load((tmp_path / "chaos" / "engine-kill.yaml").read_text())
    provider = {"type": "python", "module": "holdfast.chaos.activities", "func": "hold"}
    hold = {"type": "action", "name": "hold", "provider": {**provider, "arguments": {"seconds": seconds}}}
    longer = {**document, "method": [*document["method"], hold]}
    (tmp_path / "chaos" / "engine-kill.yaml").write_text(yaml.safe_dump(longer))
    return list(hold_problems(project.load_scenario(path, tmp_path)))


def test_a_hold_leaves_two_seconds_before_and_two_after_in_its_phase(tmp_path):
    assert held(tmp_path, 8) == []  # 2 + 8 + 2 = 12


def test_a_longer_one_is_told_at_its_seconds_with_what_would_fit(tmp_path):
    (found,) = held(tmp_path, 8.5)
    assert found.what == "held for 8.5s, but phase fault of scenarios/quickstart.yaml lasts 12s"
    assert found.hint.startswith("at most 8s fit")
    assert found.source.strip() == "seconds: 8.5"


def test_check_looks_at_experiments_that_no_scenario_names_too(tmp_path):
    write_project(tmp_path)
    assert app.check((), tmp_path)[1] == []
    (tmp_path / "chaos" / "alone.yaml").write_text(GOOD.replace("fault: stop", "fault: stpo"))
    _, found = app.check((), tmp_path)
    assert {str(one.where) for one in found} == {"chaos/alone.yaml:10:26", "chaos/alone.yaml:25:26"}
    assert app.check([tmp_path / "scenarios" / "quickstart.yaml"], tmp_path)[1] == []
    assert app.check([tmp_path / "chaos" / "alone.yaml"], tmp_path) == ([tmp_path / "chaos" / "alone.yaml"], found)
