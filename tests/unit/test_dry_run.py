"""A dry run says whom and what, in words and commands, and asks the platform nothing but who is there."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from holdfast import faults, project
from holdfast.errors import TargetError
from holdfast.experiments.aim import aim, aim_text, in_words
from holdfast.spec.experiment import lasting
from onlooker import HAND_LOOKS, LOOKS, Onlooker

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "dry-run"
NAMES = sorted(path.stem for path in (ROOT / "chaos").glob("*.yaml"))


def experiment(name="engine-hang"):
    return project.load_experiment(name, ROOT)[0]


def aimed(name="engine-hang", driver=None, *, seed=0, lacks=lambda _: ()):
    """As on a machine that has all that is needed."""
    return aim(experiment(name), driver or Onlooker(), seed, lacks)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_dry_run_of_each_experiment_says(golden, name):
    golden(GOLDEN / f"{name}.txt", aim_text(aimed(name)) + "\n")


def test_there_is_no_page_of_an_experiment_that_is_gone():
    assert [path.stem for path in GOLDEN.glob("*.txt") if path.stem not in NAMES] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_asks_who_is_there_and_nothing_else(name):
    driver = Onlooker()
    aimed(name, driver)
    assert set(driver.asked) <= LOOKS | {f"hand.{look}" for look in HAND_LOOKS}


def test_the_targets_are_those_that_a_run_with_the_same_seed_would_strike():
    chosen = {seed: aimed(seed=seed).shots[0].hits[0].target.name for seed in range(8)}
    assert all(aimed(seed=seed).shots[0].hits[0].target.name == name for seed, name in chosen.items())
    assert set(chosen.values()) == {"engine-1", "engine-2", "engine-3"}


def test_who_is_spared_is_said_too():
    (shot,) = aimed().shots
    struck = [hit.target for hit in shot.hits]
    assert sorted(one.name for one in (*shot.spared, *struck)) == ["engine-1", "engine-2", "engine-3"]


def test_too_few_targets_are_refused_in_words():
    found = aimed("engines-kill", Onlooker(gone=("engine-2",)))
    assert found.refused
    assert found.shots[0].refused == "3 ready replicas of 'engine' are wanted, 2 are there"
    assert "refused" in aim_text(found)


def test_what_the_machine_lacks_is_refused_too():
    found = aimed(lacks=lambda _: ("root",))
    assert found.refused
    assert "lacks    root" in aim_text(found)


def test_the_time_is_what_is_held_and_at_most_both_sights():
    longer = replace(experiment(), document=lasting(experiment().document, 15.0))
    found = aim(longer, Onlooker(), 0, lambda _: ())  # stop is to bite within 5 s and to be gone within 30 s
    assert (found.held, found.most) == (15.0, 35.0)


def test_an_action_of_somebody_else_is_not_hidden():
    document = {**experiment().document}
    document["method"] = [*document["method"], {"type": "action", "name": "delete it", "provider": {"type": "process"}}]
    found = aim(replace(experiment(), document=document), Onlooker(), 0)
    assert "also delete it: no strike of ours, what it touches is not known here" in aim_text(found)


def test_it_can_be_read_by_machines():
    assert asdict(aimed())["shots"][0]["hits"][0]["words"][0].startswith("send SIGSTOP to engine-")


@pytest.mark.parametrize("name", faults.names())
def test_the_words_of_every_fault_have_places_for_the_target_and_for_its_options_alone(name):
    found = faults.find(name)
    required = {key: "1" for key, field in found.Options.model_fields.items() if field.is_required()}
    try:
        words = in_words(found, "engine-1", required)
    except TargetError:
        pytest.skip("a required option has a shape of its own")
    assert all(words)
