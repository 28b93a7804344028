"""How many replicas a fault wants: one way to say it, never none, never more than there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.chaos.strike import Wanted
from holdfast.errors import TargetError


def wanted(**how_many):
    return Wanted(fault="kill", role="engine", **how_many)


def test_a_count_is_itself_and_names_are_as_many_as_they_are():
    assert wanted(count=2).of(3) == 2
    assert wanted(names=("engine-1", "engine-3")).of(3) == 2


@pytest.mark.parametrize(("percent", "ready", "count"), [(34, 3, 1), (50, 3, 1), (67, 3, 2), (100, 3, 3), (33, 3, 0)])
def test_a_percentage_is_rounded_down_so_that_a_limit_is_kept(percent, ready, count):
    # 33 % of 3 is 0.99: not one whole replica, and the striker then refuses.
    assert wanted(percent=percent).of(ready) == count


@given(percent=st.floats(0.01, 100), ready=st.integers(0, 1000))
def test_a_percentage_is_never_exceeded(percent, ready):
    assert wanted(percent=percent).of(ready) <= ready * percent / 100


@pytest.mark.parametrize("percent", [0, -1, 100.1, float("nan"), float("inf")])
def test_a_percentage_that_is_none_is_refused(percent):
    with pytest.raises(TargetError, match="cannot be struck"):
        wanted(percent=percent).of(3)


@pytest.mark.parametrize("how_many", [{}, {"count": 1, "percent": 50}, {"count": 1, "names": ("engine-1",)}])
def test_it_says_how_many_in_exactly_one_way(how_many):
    with pytest.raises(TargetError, match="one of count, percent and names"):
        wanted(**how_many).of(3)
