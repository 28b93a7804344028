"""YAML read with the place of every key and value; what YAML 1.1 would guess stays text; nothing is overwritten."""

from __future__ import annotations

import pytest

from holdfast.errors import SpecError
from holdfast.spec.source import did_you_mean, read, read_all

TEXT = """\
# a comment
name: quickstart
phases:
  - {name: warmup, for: 5s}
  - name: fault
    chaos: engine-kill
"""


def refused(text):
    with pytest.raises(SpecError) as caught:
        read(text, "a.yaml")
    return [(one.where.line, one.where.column, one.what) for one in caught.value.problems]


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("name",), (2, 1), (2, 7)),
        (("phases",), (3, 1), (4, 3)),
        (("phases", 0, "name"), (4, 6), (4, 12)),
        (("phases", 0, "for"), (4, 20), (4, 25)),
        (("phases", 1, "name"), (5, 5), (5, 11)),
        (("phases", 1, "chaos"), (6, 5), (6, 12)),
    ],
)
def test_every_key_and_value_has_its_place(path, key, value):
    source = read(TEXT, "a.yaml")
    assert (source.span(path, key=True).line, source.span(path, key=True).column) == key
    assert (source.span(path).line, source.span(path).column) == value


def test_list_items_have_a_place_too():
    assert read(TEXT, "a.yaml").location(("phases", 1)).line == 5


def test_an_unknown_path_is_placed_at_its_nearest_parent():
    source = read(TEXT, "a.yaml")
    assert str(source.location(("phases", 1, "nothing", "here"))) == "a.yaml:5:5"
    assert str(source.location(("nothing",))) == "a.yaml:2:1"


def test_a_problem_shows_the_line_with_a_caret_of_the_right_width():
    problem = read(TEXT, "a.yaml").problem(("phases", 1, "chaos"), "no such file", hint="look in chaos/")
    assert str(problem) == (
        "a.yaml:6:12: no such file\n"
        "    6 |     chaos: engine-kill\n"
        "                   ^^^^^^^^^^^\n"
        "      hint: look in chaos/"
    )


def test_scalars_are_what_yaml_1_2_says():
    text = "[yes, no, on, Off, 12:30, 0o17, 0x1F, 1_000, 2024-01-01, .inf, =]"
    assert read(text, "a").tree == text[1:-1].split(", ")
    text = "[7, -3, +4, 1.5, .5, 1e3, 2., true, False, null, ~, \"7\", 'true', 007]"
    assert read(text, "a").tree == [7, -3, 4, 1.5, 0.5, 1000.0, 2.0, True, False, None, None, "7", "true", 7]


def test_digits_of_other_scripts_stay_text():
    assert read("a: ٣", "a").tree == {"a": "٣"}


def test_a_number_too_long_for_python_is_no_traceback():
    assert read("seed: " + "1" * 5000, "a").tree == {"seed": float("inf")}


def test_keys_are_text_even_when_they_look_like_numbers():
    assert read("{1: a, yes: b}", "a").tree == {"1": "a", "yes": "b"}


def test_a_duplicate_key_is_a_problem_and_not_an_overwrite():
    assert refused("a: 1\nb: 2\na: 3\n") == [(3, 1, "duplicate key 'a'")]


def test_every_duplicate_key_is_told_at_once_with_where_it_stood_first():
    with pytest.raises(SpecError) as caught:
        read("a: {x: 1, x: 2}\nb: 1\nb: 2\n", "f")
    assert [one.hint for one in caught.value.problems] == ["first written in line 1", "first written in line 2"]


def test_duplicates_can_be_gathered_so_that_the_rest_is_looked_at_too():
    problems = []
    assert read("a: 1\na: 2\n", "f", problems).tree == {"a": 1}
    assert [one.what for one in problems] == ["duplicate key 'a'"]


@pytest.mark.parametrize("text", ["? [x]\n: b\n", "{{a: 1}: 2}"])
def test_a_key_must_be_text(text):
    assert [what for _, _, what in refused(text)] == ["a key must be plain text"]


def test_aliases_are_followed():
    assert read("a: &x [1, 2]\nb: *x\n", "f").tree == {"a": [1, 2], "b": [1, 2]}


def bomb(levels):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)  # ten to the power of `levels` leaves


@pytest.mark.parametrize(
    "text",
    [
        bomb(9),
        "&a [*a]",
        "a: &a {b: *a}",
        "[" * 5000,
        "[" * 500 + "]" * 500,
        "\n".join(" " * n + "a:" for n in range(900)),
    ],
    ids=["alias bomb", "list in itself", "mapping in itself", "open brackets", "brackets", "deep mapping"],
)
def test_a_bomb_is_one_problem_and_no_traceback(text):
    assert [what for _, _, what in refused(text)] == ["too large or too deep (do aliases repeat?)"]


def test_syntax_errors_say_where():
    assert refused("a:\n\tb: 1\n") == [(2, 1, "not YAML: found character '\\t' that cannot start any token")]
    assert refused("a: [1\n")[0][:2] == (2, 1)
    assert refused("a: \0")[0][2] == "not YAML: special characters are not allowed"
    assert refused("a: *nobody\n")[0][2] == "not YAML: found undefined alias 'nobody'"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_file_is_a_problem(text):
    assert refused(text) == [(1, 1, "the file is empty")]


def test_one_document_is_wanted_and_several_can_be_read():
    assert refused("a: 1\n---\nb: 2\n") == [(1, 1, "expected one YAML document, found 2")]
    first, second = read_all("a: 1\n---\nb: 2\n", "f")
    assert (first.tree, second.tree, second.location(("b",)).line) == ({"a": 1}, {"b": 2}, 3)


def test_tags_construct_nothing():
    assert read("a: !!python/object/apply:os.system [x]", "f").tree == {"a": ["x"]}


def test_the_closest_word_is_named_or_all_of_them():
    assert did_you_mean("basline", ["baseline", "fault"]) == "did you mean baseline?"
    assert did_you_mean("x", ["fault", "baseline"]) == "known: baseline, fault"
    assert did_you_mean("x", []) == ""
