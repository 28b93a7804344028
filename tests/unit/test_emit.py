"""The YAML writer: what other readers read back, and the corners of yaml.v2's style, measured against it."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.slo.compat.resolve import is_text
from holdfast.slo.emit import document, dump, ordered

# A next line, a separator of lines or of paragraphs at the end of a key that itself has several lines is the one thing
# where what we write is not what yaml.v2 does; and what yaml.v2 does there, no reader reads back.
SHOWN = st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029")
TEXT = st.text(SHOWN) | st.text("ab \n:#-'\"\\\t0123yn~.,{}[]é😀\ufeff")
LABELS = st.dictionaries(st.text("abz019_", min_size=1), TEXT)


def value(text):
    """How a text is written as the value of a short key."""
    return document({"k": text}).removeprefix("k: ")


@given(labels=LABELS, expr=TEXT)
@example(labels={"a": "\ufeff"}, expr=" x\n")
@example(labels={"k" * 129: "v"}, expr="\n\n")
def test_what_is_written_is_read_back(labels, expr):
    rules = [{"record": "r", "expr": expr, "labels": labels}, {"alert": "a", "expr": "1", "annotations": labels}]
    expected = [{name: part for name, part in rule.items() if part != {}} for rule in rules]
    # BaseLoader: whether a word is text is another test's; and PyYAML drops the mark of byte order of a stream only.
    read = yaml.load(dump([{"name": "g", "interval": "1m", "rules": rules}]), Loader=yaml.BaseLoader)
    assert read == {"groups": [{"name": "g", "interval": "1m", "rules": expected}]}


@given(TEXT.filter(lambda text: text not in ("=", "<<")))
def test_a_text_stays_a_text_to_a_reader_that_guesses_types(text):
    assert yaml.safe_load("k: " + value(text)) == {"k": text}


def test_groups_look_as_people_write_them():
    rules = [{"record": "r", "expr": "a\n/\nb\n", "labels": {"x": "1"}}, {"record": "s", "expr": "c"}]
    assert dump([{"name": "g", "rules": rules}]) == (
        "groups:\n- name: g\n  rules:\n"
        '  - record: r\n    expr: |\n      a\n      /\n      b\n    labels:\n      x: "1"\n'
        "  - record: s\n    expr: c\n"
    )


def test_what_is_empty_and_no_text_is_left_out():
    assert document({"a": "", "b": {}, "c": [], "d": {"e": "f"}}) == 'a: ""\nd:\n  e: f\n'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain\n"),
        ("a: b", "'a: b'\n"),
        ("it's #1", "'it''s #1'\n"),
        ("tab\there", '"tab\\there"\n'),
        ("😀", '"\\U0001F600"\n'),
        ("é", "é\n"),
        ("a\nb", "|-\n  a\n  b\n"),
        ("a\nb\n", "|\n  a\n  b\n"),
        ("a\n\n", "|+\n  a\n\n"),
        (" a\n", "|2\n   a\n"),
        ("a \nb", '"a \\nb"\n'),
        ("no", '"no"\n'),
        ("0x1F", '"0x1F"\n'),
        ("2024-01-31", '"2024-01-31"\n'),
        ("2024-02-31", "2024-02-31\n"),
    ],
)
def test_styles_are_those_of_yaml_v2(text, shown):
    assert value(text) == shown


def test_a_long_line_ends_at_the_first_blank_beyond_column_80():
    # "k: " is 3 columns; 77 letters end at column 80, so that the blank behind them still fits, and the next does not.
    assert value("x" * 77 + " y z") == "x" * 77 + " y\n  z\n"
    assert value("x" * 78 + " y z") == "x" * 78 + "\n  y z\n"


def test_one_mapping_in_two_places_is_written_in_both():
    labels = {"a": "1"}
    assert document({"b": labels, "c": {"d": labels}}) == 'b:\n  a: "1"\nc:\n  d:\n    a: "1"\n'


def test_keys_are_in_the_order_of_the_numbers_in_them():
    assert list(ordered(dict.fromkeys(["b", "a10", "a9", "B", "_", "a_", "1"], ""))) == [
        *("_", "1", "B", "a_", "a9", "a10", "b")
    ]


@pytest.mark.parametrize("word", ["", "~", "yes", "N", "0", "-1", "1_000", "0b11", "1e3", ".5", ".inf", "12:30:00"])
def test_words_that_yaml_v2_takes_for_something_else(word):
    assert not is_text(word)


@pytest.mark.parametrize(
    "word", ["Yes!", "yEs", "1.2.3", "0xG", "8e999", "0x" + "F" * 17, "2024-13-01", "1:99", "=", "<<"]
)
def test_words_that_only_look_like_it(word):
    assert is_text(word)
