"""Result files with anything wrong in them: a problem with its place, or what is left, and never a traceback."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.definitions import words
from holdfast.definitions.foreign import names, read
from holdfast.definitions.foreign.document import parse
from holdfast.errors import SpecError

FILES = sorted((Path(__file__).parents[1] / "golden" / "load-import").iterdir())
STRANGE = (None, "x", [], {}, True, math.nan, math.inf, -1, 0.5, 10**400, [1], {"a": 1}, [[None]])
GONE = object()


def load(path):
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


def places(value, path=()):
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in inside:
        yield from places(child, (*path, step))


def changed(document, path, value):
    document = copy.deepcopy(document)
    above = document
    for step in path[:-1]:
        above = above[step]
    if value is GONE:
        del above[path[-1]]
    else:
        above[path[-1]] = copy.deepcopy(value)
    return document


def dumped(path, document):
    return "".join(json.dumps(one) + "\n" for one in document) if path.suffix == ".jsonl" else json.dumps(document)


WRONG = st.sampled_from(FILES).flatmap(
    lambda path: st.tuples(st.just(path), st.sampled_from([*places(load(path))]), st.sampled_from([*STRANGE, GONE]))
)


def told(text, name):
    """(runs, problems) of a file: one of the two is empty."""
    try:
        return read(parse(text, name)), ()
    except SpecError as error:
        return (), error.problems


@settings(max_examples=150, deadline=None)
@given(WRONG)
def test_one_thing_wrong_in_a_file_is_a_problem_or_leaves_the_rest(wrong):
    path, place, value = wrong
    runs, problems = told(dumped(path, changed(load(path), place, value)), path.name)
    assert runs or problems
    assert {one.where.file for one in problems} <= {path.name}
    for one in runs:
        assert words.rows([one.summary])
        json.dumps(words.summary_as_dict(one.summary), allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FILES), st.floats(0, 1))
def test_a_file_that_was_cut_short_is_a_problem_or_has_fewer_requests(path, share):
    text = path.read_text(encoding="utf-8")
    runs, problems = told(text[: int(len(text) * share)], path.name)
    assert problems or path.suffix == ".jsonl" or share == 1 or len(runs) == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_file_is_known_to_one_reader_alone(path):
    from importlib import import_module

    document = parse(path.read_text(encoding="utf-8"), path.name)
    readers = {name: import_module(f"holdfast.definitions.foreign.{name}").READER for name in names()}
    knowing = [name for name, reader in readers.items() if reader.knows(document)]
    assert [path.name.replace("-", "_").startswith(name) for name in knowing] == [True]


def test_a_number_that_is_not_finite_is_unknown():
    document = parse('{"a": NaN, "b": Infinity, "c": null, "d": 2}', "f")
    assert [document.number(key) for key in "abcd"] == [None, None, None, 2]
    assert document.problems == []


def test_a_problem_points_into_a_long_document():
    text = '{\n "one": [1, {"two": "x"}],\n "three": true\n}'
    document = parse(text, "f")
    document.number("one", 1, "two")
    document.number("three")
    document.number("four", needed=True)
    assert [str(one.where) for one in document.problems] == ["f:2:21", "f:3:11", "f:1:1"]
    assert [one.what for one in document.problems] == [
        'one[1].two is not a number but "x"',
        "three is not a number but true",
        "four is missing",
    ]
