"""One question of many files: shared between processes, and answered as if by one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.objectives.shares import each

HERE = os.getpid()


def where(_: int) -> int:
    return os.getpid()


@given(st.lists(st.integers(), max_size=20), st.integers(1, 3), st.integers(1, 5))
def test_the_answers_are_those_of_one_process_in_the_order_of_the_items(items, processors, worth):
    assert each(lambda item: item * 2, items, processors=processors, worth=worth) == [item * 2 for item in items]


def test_each_processor_has_a_share_of_many_files():
    assert len(set(each(where, range(9), processors=3, worth=3))) == 3


def test_few_files_are_not_worth_another_process():
    # 8 files are two shares of at least 3, and one of at least 5.
    assert len(set(each(where, range(8), processors=4, worth=3))) == 2
    assert set(each(where, range(8), processors=4, worth=5)) == {HERE}


def test_a_share_whose_process_is_killed_is_answered_all_the_same():
    def ask(item: int) -> int:
        if os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    assert each(ask, range(6), processors=2, worth=1) == [*range(6)]


@pytest.mark.parametrize(("wrong", "first"), [({1, 4}, "1"), ({4, 5}, "4")])
def test_what_is_raised_is_what_a_single_process_would_have_met_first(wrong, first):
    def ask(item: int) -> int:
        if item in wrong:
            raise ValueError(str(item))
        return item

    with pytest.raises(ValueError, match=first):
        each(ask, range(6), processors=2, worth=1)


def test_nothing_is_left_behind():
    before = open_files(), children()
    each(where, range(6), processors=3, worth=1)
    assert (open_files(), children()) == before


def children() -> set[int]:
    """Also those that have ended and that nobody has asked about."""
    return {one.pid for one in psutil.Process().children()}


def open_files() -> set[str]:
    return {file.name for file in Path("/proc/self/fd").iterdir()}
