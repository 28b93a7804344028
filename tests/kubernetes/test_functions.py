"""The rows of allowed and refused functions are about functions that exist, and each allowed one can be aimed."""

from __future__ import annotations

import inspect
from importlib import import_module
from pkgutil import walk_packages

import chaosk8s
import pytest

from holdfast.faults.ways.answers import within
from holdfast.faults.ways.functions import ACTIONS, BACKS, PROBES, REFUSED, lacking
from holdfast.platforms.clusters import _AIMS

ALLOWED = {**{name: one.needs for name, one in ACTIONS.items()}, **BACKS, **PROBES}


def found(name):
    module, _, func = name.rpartition(".")
    return getattr(import_module(module), func)


@pytest.mark.parametrize("name", ALLOWED)
def test_an_allowed_one_exists_and_takes_what_it_must_be_given(name):
    takes = set(inspect.signature(found(name)).parameters)
    assert {one for need in ALLOWED[name] for one in need.split("|")} <= takes
    assert takes & {"secrets", "api"}


def test_a_refused_one_exists_and_is_allowed_nowhere_else():
    assert all(callable(found(name)) for name in REFUSED)
    assert set(REFUSED) & {*ACTIONS, *PROBES} == set()
    assert all(why for why, _ in REFUSED.values())


def test_what_a_refusal_names_instead_may_be_called():
    for _, instead in REFUSED.values():
        name = instead.partition(",")[0].partition(" with")[0]
        if "." in name:
            assert {name, f"chaosk8s.{name}"} & {*ACTIONS, *PROBES}, instead


def test_every_action_can_be_aimed_and_names_a_way_back_that_there_is():
    for action in ACTIONS.values():
        assert action.aim in {*_AIMS, "node"}
        assert not action.back or action.back in BACKS


def test_no_function_that_deletes_is_allowed_as_an_action():
    assert [name for name in ACTIONS if name.rpartition(".")[2].startswith(("delete", "remove"))] == []


def test_the_extension_has_no_module_that_nobody_has_looked_at():
    modules = {one.name for one in walk_packages(chaosk8s.__path__, "chaosk8s.")}
    assert len(modules) == 43  # of 0.39.0: with another version, look at what is new


def test_of_alternatives_exactly_one_is_given():
    assert lacking(("name|label_selector",), {"name": "a"}) == ()
    assert lacking(("name|label_selector",), {"name": "a", "label_selector": "b"}) == ("name|label_selector",)
    assert lacking(("ns",), {"ns": ""}) == ("ns",)
    assert lacking(("ns",), None) == ("ns",)
    assert lacking(("replicas",), {"replicas": 0}) == ()


@pytest.mark.parametrize(
    ("tolerance", "value", "is_so"),
    [
        (True, True, True),
        (True, 1, False),
        (0, False, False),
        (False, None, False),
        (2, 2.0, True),
        ("a", "a", True),
        ("2", 2, False),
    ],
)
def test_a_value_is_that_value_and_of_its_kind(tolerance, value, is_so):
    assert within(tolerance, value) is is_so


def test_a_range_has_both_ends_and_no_nan():
    class Range:
        range = (1.0, 3.0)

    assert [one for one in (0.9, 1, 3, 3.1, float("nan"), None, True) if within(Range(), one)] == [1, 3]
