"""Load without a scenario is kept as a scenario that asks nothing: readable as any run, and never a PASS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.errors import SpecError, UsageError
from holdfast.judge import judge
from holdfast.loadtest.run import FILE, Address, Wanted, prepare
from holdfast.model.verdict import State
from holdfast.project import load_scenario
from holdfast.store import folder as store
from holdfast.testing import a_timeline

ROOT = Path(__file__).parents[2]
WANTED = Wanted(root=ROOT, runs=ROOT / "runs", profile="chat-peak", host="http://127.0.0.1:8080", length=20.0)


def kept(scenario, folder):
    """The scenario as a run folder has it."""
    store.keep_specs(folder, scenario)
    return load_scenario(folder / store.SPECS / FILE, folder / store.SPECS)


@pytest.mark.parametrize(("warmup", "names"), [(5.0, ["warmup", "load"]), (0.0, ["load"])])
def test_what_is_played_is_what_the_run_folder_says(tmp_path, warmup, names):
    scenario = prepare(replace(WANTED, warmup=warmup, seed=9))
    again = kept(scenario, tmp_path)
    assert (again.name, again.title, again.seed) == (scenario.name, scenario.title, 9)
    assert (again.load, again.phases, again.expect) == (scenario.load, scenario.phases, ())
    assert [phase.name for phase in again.phases] == names
    assert [phase.judged for phase in again.phases] == [name == "load" for name in names]
    assert again.length == warmup + 20.0


def test_an_address_cannot_break_out_of_the_file(tmp_path):
    host = "http://a/'}: [\"&*#"
    assert kept(prepare(replace(WANTED, host=host)), tmp_path).title == f"chat-peak against {host}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"host": "127.0.0.1:8080"}, "not an address"),
        ({"host": "ftp://a"}, "not an address"),
        ({"host": "http://"}, "not an address"),
        ({"host": "http://me:secret@a"}, "password"),
        ({"length": 0.5}, "at least 1s"),
        ({"length": float("nan")}, "at least 1s"),
        ({"warmup": 0.5}, "at least 1s"),
        ({"warmup": -1.0}, "at least 1s"),
        ({"profile": "chat-peek"}, "no such profile"),
    ],
)
def test_what_was_asked_wrongly_is_refused_before_anything_starts(changes, said):
    with pytest.raises(UsageError, match=said):
        prepare(replace(WANTED, **changes))


def test_a_secret_in_an_address_is_not_repeated():
    with pytest.raises(UsageError) as caught:
        prepare(replace(WANTED, host="http://me:secret@a"))
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_load_that_asks_nothing_is_never_a_pass():
    # Every check of trust passes, and still: nothing was asked, so nothing is proved.
    timeline = a_timeline()
    asked_nothing = replace(timeline, scenario=replace(timeline.scenario, expect=()))
    assert judge(asked_nothing).state is not State.PASS


def test_a_scenario_that_asks_nothing_must_say_that_it_is_load(tmp_path):
    scenario = prepare(WANTED)
    text = scenario.files[FILE].replace("kind: Load", "kind: Scenario")
    with pytest.raises(SpecError, match="expect"):
        kept(replace(scenario, files={**scenario.files, FILE: text}), tmp_path)


def test_load_may_not_ask_anything(tmp_path):
    scenario = prepare(WANTED)
    text = scenario.files[FILE] + "expect:\n  - {invariant: answers-complete}\n"
    with pytest.raises(SpecError, match="nothing to expect"):
        kept(replace(scenario, files={**scenario.files, FILE: text}), tmp_path)


def test_an_address_has_nothing_that_could_be_struck(tmp_path):
    address = Address(host="http://a", folder=tmp_path)
    assert (address.roles(), address.replicas("engine"), address.allowed) == ((), (), frozenset())
