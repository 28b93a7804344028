"""Many objectives: Holm by hand, and the figures that say when to correct."""

from __future__ import annotations

import math

import pytest

from holdfast import stats


def test_holm_steps_down_from_the_smallest():
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, never falling: .02 .03 .06 .06
    assert stats.holm_adjusted((0.01, 0.04, 0.03, 0.005)) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert stats.holm((0.01, 0.04, 0.03, 0.005)) == (True, False, False, True)


def test_holm_of_one_is_the_plain_test():
    assert stats.holm((0.05,)) == (True,)
    assert stats.holm((0.0501,)) == (False,)


def test_holm_of_none_is_none():
    assert stats.holm(()) == ()


def test_an_adjusted_value_stays_a_probability():
    assert stats.holm_adjusted((0.6, 0.9)) == (1.0, 1.0)


@pytest.mark.parametrize(("objectives", "chance"), [(1, 0.9), (10, 0.35), (20, 0.12)])
def test_proving_all_of_many_needs_power(objectives, chance):
    assert stats.joint_chance([0.9] * objectives) == pytest.approx(chance, abs=0.005)


@pytest.mark.parametrize(("objectives", "chance"), [(10, 0.40), (40, 0.87)])
def test_uncorrected_failing_blocks_good_services(objectives, chance):
    # What Holm is for: 1 - 0.95 ** 10
    assert 1 - stats.joint_chance([0.95] * objectives) == pytest.approx(chance, abs=0.005)


def test_a_breach_is_surprising_by_the_binomial_tail():
    # P(Binomial(100, 1 %) >= 3) = 1 - .3660 - .3697 - .1849 = .0794
    assert stats.breach_p_value(3, 100, 0.01) == pytest.approx(0.0794, abs=0.0001)
    assert stats.breach_p_value(0, 100, 0.01) == 1
    assert stats.breach_p_value(0, 0, 0.01) == 1
    # one is enough: 1 - 0.99 ** 100
    assert stats.breach_p_value(1, 100, 0.01) == pytest.approx(0.6340, abs=0.0001)


def test_a_limit_may_be_none_at_all_or_everything():
    assert stats.breach_p_value(1, 10, 0.0) == 0
    assert stats.breach_p_value(10, 10, 1.0) == 1
    assert stats.joint_chance([0.0, 0.9]) == 0
    assert stats.joint_chance([1.0, 0.9]) == 0.9


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(ValueError, match="p-values"):
        stats.holm((0.5, wrong))
    with pytest.raises(ValueError, match="chances"):
        stats.joint_chance((0.5, wrong))
    with pytest.raises(ValueError, match="a limit"):
        stats.breach_p_value(1, 2, wrong)
    with pytest.raises(ValueError, match="alpha"):
        stats.holm((0.5,), wrong)
