"""Shapes: all problems at once, each at its key, each with what to do."""

from __future__ import annotations

from pydantic import Field

from holdfast.spec.shapes import Duration, Ratio, Strict, shaped
from holdfast.spec.source import read


class Inner(Strict):
    name: str
    length: Duration = Field(alias="for")
    share: Ratio | None = None


class Middle(Strict):
    inner: Inner
    many: list[Inner] = Field(default_factory=list)
    named: dict[str, Inner] = Field(default_factory=dict)


class Outer(Strict):
    seed: int
    on: bool = False
    middle: Middle


def told(text, shape=Outer):
    found, problems = shaped(shape, read(text, "f"))
    return found, [(f"{one.where.line}:{one.where.column}", one.what, one.hint) for one in sorted(problems)]


GOOD = "seed: 7\nmiddle:\n  inner: {name: a, for: 90s}\n"


def test_a_good_tree_becomes_its_shape_with_units_read():
    found, problems = told(GOOD)
    assert problems == []
    assert (found.seed, found.middle.inner.length) == (7, 90.0)


def test_every_problem_is_told_in_one_pass():
    _, problems = told('seed: "7"\non: yes\nmiddle:\n  inner: {name: 5, for: 90, share: 0.5}\nmore: 1\n')
    assert problems == [
        ("1:7", "expected a whole number, got '7'", ""),
        ("2:5", "expected true or false, got 'yes'", ""),
        ("4:17", "expected text, got 5", ""),
        ("4:25", "expected a duration such as 40s, got 90 without a unit", ""),
        ("4:36", "expected a percentage such as 99.9%, got 0.5 without a unit", ""),
        ("5:1", "unknown key 'more'", "known: middle, on, seed"),
    ]


def test_a_typo_is_answered_with_the_key_of_that_very_level():
    text = "seed: 7\nmiddel: 1\nmiddle:\n  iner: 1\n  inner: {name: a, for: 1s, shar: 1%}\n"
    _, problems = told(text)
    assert [(where, hint) for where, _, hint in problems] == [
        ("2:1", "did you mean middle?"),
        ("4:3", "did you mean inner?"),
        ("5:29", "did you mean share?"),
    ]


def test_hints_reach_into_lists_and_mappings():
    text = GOOD + "  many: [{nam: b, name: b, for: 1s}]\n  named: {x: {name: c, fro: 1s, for: 1s}}\n"
    _, problems = told(text)
    assert [hint for _, _, hint in problems] == ["did you mean name?", "did you mean for?"]


def test_unknown_keys_alone_still_give_the_shape():
    found, problems = told(GOOD + "sead: 8\n")
    assert found.seed == 7
    assert problems == [("4:1", "unknown key 'sead'", "did you mean seed?")]


def test_a_field_is_known_by_one_name_only():
    _, problems = told("seed: 7\nmiddle:\n  inner: {name: a, length: 9s}\n")
    assert [what for _, what, _ in problems] == ["required key 'for' is missing", "unknown key 'length'"]


def test_a_missing_key_is_told_at_its_mapping():
    _, problems = told("seed: 7\nmiddle:\n  inner: {name: a}\n")
    assert problems == [("3:10", "required key 'for' is missing", "")]


def test_wrong_kinds_of_value_are_named_as_a_person_would():
    _, problems = told("seed: [1]\non: {a: 1}\nmiddle:\n")
    assert [what for _, what, _ in problems] == [
        "expected a whole number, got a list",
        "expected true or false, got a mapping",
        "expected a mapping, got nothing",
    ]


def test_a_wrong_unit_is_told_with_an_example():
    _, problems = told("seed: 7\nmiddle:\n  inner: {name: a, for: 5 parsecs, share: 120%}\n")
    assert [what for _, what, _ in problems] == [
        "expected a duration such as 250ms, 40s or 5m, got '5 parsecs'",
        "expected a percentage between 0% and 100%, got '120%'",
    ]


def test_nothing_is_coerced():
    # True is no whole number, 7.0 neither.
    for value in ("true", "7.0", "7.5"):
        assert told(GOOD.replace("seed: 7", f"seed: {value}"))[0] is None
