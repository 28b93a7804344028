"""What a look may see: the requests in the order they were due, up to the first that has not ended."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from holdfast.load.prefix import Prefix
from holdfast.store.load import REQUEST_COLUMNS, table


def line(number, **changes):
    numbers = {"due": number / 10, "sent": number / 10, "first": None, "last": None, "done": number / 10 + 1.0}
    others = {"status": None, "prompt_tokens": 5, "asked_tokens": 5, "tokens": 0, "max_gap": None}
    texts = {"outcome": "cut", "error": "", "model": ""}
    return {"kind": "request", "id": number, **numbers, **others, **texts, **changes}


def took(numbers, **changes):
    prefix = Prefix()
    for number in numbers:
        prefix.take(line(number, **changes))
    return prefix


def test_nothing_is_known_before_the_first_request_has_ended():
    assert len(took([])) == 0
    assert len(took([1, 2, 3])) == 0
    assert took([1, 2, 3]).until == -math.inf


def test_what_ended_behind_one_that_has_not_is_not_seen():
    assert took([0, 1, 3, 4]).table()["id"].tolist() == [0, 1]
    assert took([0, 1, 3, 4, 2]).table()["id"].tolist() == [0, 1, 2, 3, 4]
    assert took([0, 1, 3, 4]).until == 0.1


def test_it_looks_like_the_record_that_will_be_read():
    lines = [line(number, outcome="ok", first=number + 0.5) for number in range(4)]
    seen, read = took(range(4), outcome="ok").table(), table(lines, REQUEST_COLUMNS)
    assert list(seen.columns) == list(read.columns)
    assert seen.dtypes.tolist() == read.dtypes.tolist()


def test_a_table_made_before_does_not_hinder_what_comes_after():
    prefix = took([0])
    before = prefix.table()
    prefix.take(line(1))
    assert (len(before), len(prefix.table())) == (1, 2)


@given(st.permutations(range(12)), st.integers(0, 12))
def test_whatever_the_order_of_ending_a_beginning_of_the_plan_is_seen_and_the_longest_there_is(order, ended):
    seen = took(order[:ended]).table()["id"].tolist()
    assert seen == list(range(len(seen)))
    assert len(seen) not in order[:ended]
