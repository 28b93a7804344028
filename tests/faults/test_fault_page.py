"""The page about faults is what they say of themselves, and each says all there is to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import faults
from holdfast.experiments.listing import fault_rows
from holdfast.experiments.page import page
from holdfast.faults.base import Fault, asked_hands
from holdfast.model.hands import Processes

ROOT = Path(__file__).parents[2]
FAMILIES = {"process", "resource", "network", "answer", "engine", "dependency", "configuration", "load", "kubernetes"}


def test_the_page_is_made_of_the_faults(golden):
    golden(ROOT / "docs" / "reference" / "faults.md", page({name: faults.find(name) for name in faults.names()}))


@pytest.mark.parametrize("name", faults.names())
def test_every_fault_says_all_there_is_to_say(name):
    found = faults.find(name)
    assert isinstance(found, Fault)
    assert found.family in FAMILIES
    assert all((found.title, type(found).__doc__, *found.words))
    assert not found.words.apply.endswith(".")
    assert 0 < found.bites_within <= 120
    assert 0 < found.gone_within <= 300
    for option, field in found.Options.model_fields.items():
        assert field.description, option


def test_what_a_fault_asks_of_a_platform_is_found_in_its_code():
    assert asked_hands(faults.find("kill")) == ()
    assert Processes in asked_hands(faults.find("stop"))


def test_without_a_platform_only_the_machine_is_asked():
    rows = {row.name: row for row in fault_rows(None)}
    assert set(rows) == set(faults.names())
    assert rows["stop"].lacks == ()
