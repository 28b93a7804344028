"""Start-ups are found where they are, a queue's swings are not taken for one, and a rate is the steady rate."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from scipy.special import stdtr

from holdfast.stats.steady import Throughput, _stretched, _unlike, _worth, start_up, throughput, trend, truncation


def noise(seed: int, count: int, correlation: float = 0.0):
    """A series that stands still: an autoregression with variance 1, from its own distribution on."""
    random = np.random.default_rng(seed)
    values = [random.normal()]
    for shock in random.normal(size=count - 1) * math.sqrt(1 - correlation**2):
        values.append(correlation * values[-1] + shock)
    return np.array(values)


def closed_loop(requests: int, users: int, sigma: float, seed: int):
    """(sent, done) of users who ask again as soon as they are answered; latencies lognormal around 1 s."""
    latency = np.random.default_rng(seed).lognormal(0.0, sigma, requests).tolist()
    free = latency[:users]
    heapq.heapify(free)
    sent, done = [0.0] * users, latency[:users]
    for took in latency[users:]:
        now = heapq.heapreplace(free, free[0] + took)
        sent.append(now)
        done.append(now + took)
    return np.array(sent), np.array(done)


def test_a_start_up_is_left_out_where_it_ends():
    values = noise(1, 500) * 0.1
    values[:100] += np.linspace(5, 0, 100)
    place, settled = truncation(values)
    # The last tenth of the slope is within the noise; what is left out counts in batches of five.
    assert (80 <= place <= 120, place % 5, settled) == (True, 0, True)


def test_a_series_that_goes_on_rising_never_settles():
    assert truncation(np.arange(200.0)) == (100, False)


def test_too_few_values_settle_nothing_and_leave_out_nothing():
    # Four batches of five are needed.
    assert truncation([1.0] * 19) == (0, False)
    assert truncation([]) == (0, False)
    assert truncation([1.0] * 20) == (0, True)


@pytest.mark.parametrize(("first", "left_out"), [(1.67, 0), (1.68, 5)])
def test_a_start_up_is_left_out_when_the_mean_of_the_rest_is_then_surer(first, left_out):
    # Batches of means x, 1, -1, 1, -1: with x the squares about the mean are 4 + 0.8 * x**2, and White divides by
    # 5**2; without it they are 4, divided by 4**2. They are equal where 0.16 + 0.032 * x**2 = 0.25: x = 1.677.
    assert truncation(np.repeat([first, 1, -1, 1, -1], 5)) == (left_out, True)


@pytest.mark.parametrize(("unit", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e9)])
def test_neither_the_unit_nor_what_all_have_in_common_moves_the_end_of_a_start_up(unit, offset):
    values = noise(1, 500) * 0.1 + np.concatenate([np.linspace(5, 0, 100), np.zeros(400)])
    assert truncation(values * unit + offset) == truncation(values)


@pytest.mark.parametrize("values", [[1.0, math.nan] * 20, [math.inf] * 40, [1.0, None] * 20])
def test_a_value_that_is_no_number_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        truncation(values)


def test_a_cold_start_is_left_out_and_a_swing_is_not():
    times = np.arange(600) / 10
    cold = noise(3, 600) * 0.1 + np.where(times < 10, 5.0, 0.0)
    since, settled = start_up(times, cold)
    assert 9.5 <= since <= 11
    assert settled
    # MSER-5 alone would take a bite of nearly every one of these; chance explains what it takes.
    kept = [start_up(times, noise(seed, 600, correlation=0.9))[0] for seed in range(20)]
    assert sum(since == 0 for since in kept) >= 17


def test_a_start_up_may_be_one_stretch_of_twenty():
    # 30 of 600 values.
    times = np.arange(600.0)
    since, settled = start_up(times, noise(3, 600) * 0.1 + np.where(times < 30, 5.0, 0.0))
    assert (since, settled) == (30, True)


def test_without_a_start_up_all_is_settled():
    assert start_up(np.arange(600.0), noise(3, 600)) == (0, True)


def test_what_came_all_at_once_has_no_start_up():
    # By number the first ten of these hundred differ from the rest, but they did not come earlier.
    assert start_up(np.ones(100), np.where(np.arange(100) < 10, 5.0, 0.0)) == (0, True)


@pytest.mark.parametrize(("before", "unlike"), [(3.40, False), (3.41, True), (-3.40, False), (-3.41, True)])
def test_one_stretch_differs_when_it_is_three_standard_errors_away(before, unlike):
    # After it 11, 9, 11, ...: eight of mean 10 and variance 8 / 7, each the contrary of its neighbour, so worth eight.
    # The error of a difference of one and eight is sqrt(8 / 7 * (1 + 1 / 8)) = 1.134; three of it are 3.402.
    y = np.array([10 + before] + [11, 9] * 4)
    assert _unlike(np.arange(9.0), y, 1.0) is unlike


@pytest.mark.parametrize(("before", "unlike"), [(2.68, False), (2.69, True)])
def test_no_fewer_than_four_stretches_are_compared_with_and_are_worth_five(before, unlike):
    # sqrt(4 / 3 * 4 / 5 * (1 / 2 + 1 / 4)) = 0.894; three of it are 2.683. A stretch at the moment comes after it.
    y = np.array([10 + before] * 2 + [11, 9, 11, 9])
    assert _unlike(np.arange(6.0), y, 2.0) is unlike
    # Three stretches say nothing about their own swings.
    assert not _unlike(np.arange(5.0), np.array([99, 99, 11, 9, 11]), 2.0)


def test_what_never_changes_is_not_unlike():
    assert not _unlike(np.arange(9.0), np.ones(9), 1.0)


def test_stretches_that_resemble_their_neighbours_are_worth_fewer():
    # + + - - and so on: of 19 pairs of neighbours 10 are alike and 9 not, a correlation of 1 / 20 whatever the unit.
    off = np.tile([0.1, 0.1, -0.1, -0.1], 5)
    assert _worth(off, float(off @ off), 20) == pytest.approx(20 * 0.95 / 1.05)
    # The contrary of a neighbour does not make it worth more, and nothing makes it worth less than five.
    assert _worth(np.tile([1.0, -1.0], 10), 20.0, 20) == 20
    assert _worth(np.repeat([1.0, -1.0], 10), 20.0, 20) == 5
    assert _worth(np.zeros(20), 0.0, 20) == 20


def test_the_last_moment_belongs_to_the_last_stretch():
    # 0 to 20 in twenty stretches of one second: the last holds 19 and 20.
    x, y = _stretched(np.arange(21.0), 2 * np.arange(21.0))
    assert x.tolist() == [*range(19), 19.5]
    assert y.tolist() == [*range(0, 38, 2), 39]


def test_a_line_is_found_in_a_rising_latency_and_its_slope_is_the_overload():
    # A server that takes 100/s and is offered 110/s lets each second wait 1/11 s longer.
    times = np.arange(0, 30, 1 / 110)
    found = trend(times, times / 11 + noise(5, len(times)) * 0.05)
    assert found.slope == pytest.approx(1 / 11, rel=0.05)
    assert found.p < 1e-6
    assert found.error < 0.01


def test_the_error_of_a_line_is_that_of_least_squares():
    # Twenty stretches of one value each, off the line by + - - +: neither their sum nor their product with time is
    # anything, so the line is the line. 20 / 18 of variance over (20**3 - 20) / 12 = 665 of time.
    times = np.arange(20.0)
    found = trend(times, times / 10 + np.tile([1.0, -1.0, -1.0, 1.0], 5))
    assert found.slope == pytest.approx(0.1)
    assert found.error == pytest.approx(math.sqrt(20 / 18 / 665))
    # t = 2.446 with 18 degrees of freedom: 1.25 %.
    assert found.p == pytest.approx(0.0125, abs=0.0001)


def test_a_line_through_stretches_that_resemble_each_other_is_believed_less():
    # + + - - - - + + twice: 11 of 15 pairs are alike and 4 not, a correlation of 7 / 16.
    times = np.arange(16.0)
    found = trend(times, times / 10 + np.tile([1.0, 1, -1, -1, -1, -1, 1, 1], 2))
    worth = 16 * (9 / 16) / (23 / 16)
    # 16 / 14 of variance over (16**3 - 16) / 12 = 340 of time, as if there were 6.26 of 16 stretches.
    assert found.error == pytest.approx(math.sqrt(16 / 14 / 340 * 16 / worth))
    assert found.p == pytest.approx(stdtr(worth - 2, -0.1 / found.error))


@pytest.mark.parametrize("moved", [-1000.0, 1e6])
def test_it_does_not_matter_when_a_series_began(moved):
    times, values = np.arange(30.0), noise(7, 30)
    here, there = trend(times, values), trend(times + moved, values)
    assert (there.slope, there.error, there.p) == pytest.approx((here.slope, here.error, here.p))


def test_four_stretches_make_a_line():
    found = trend([0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 2.0, 1.0])
    assert found.slope == 0
    assert found.p == pytest.approx(0.5)


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.99])
def test_a_queue_that_stands_still_seldom_looks_as_if_it_grew(correlation):
    times = np.arange(1500.0)
    wrong = sum(trend(times, noise(seed, 1500, correlation)).p < 0.01 for seed in range(60))
    # 1 % of 60 is 0.6; with correlation the price of a level found from the series itself is paid: up to 5 %.
    assert wrong <= 4


def test_a_line_that_no_point_is_off_is_certain():
    found = trend(np.arange(100.0), np.full(100, 3.0))
    assert (found.slope, found.error, found.p) == (0.0, 0.0, 1.0)
    for slope, p in ((0.5, 0.0), (-0.5, 1.0)):
        found = trend(np.arange(20.0), slope * np.arange(20.0))
        assert (found.slope, found.error, found.p) == (slope, 0.0, p)


@pytest.mark.parametrize("times", [[], [1.0], [1.0, 1.0, 1.0], [0.0, 5.0, 10.0]])
def test_too_little_has_no_trend(times):
    assert trend(times, [1.0] * len(times)) is None


@pytest.mark.parametrize(
    ("times", "values"), [([1.0], []), ([1.0, math.nan], [1.0, 2.0]), ([1.0], [math.inf]), ([1.0], [None])]
)
def test_a_trend_of_what_is_no_series_is_refused(times, values):
    with pytest.raises(ValueError, match="finite"):
        trend(times, values)


@pytest.mark.parametrize(("requests", "whole"), [(1000, -0.39), (2000, -0.26), (10_000, -0.07)])
def test_the_steady_rate_is_found_where_completed_over_wall_is_far_too_low(requests, whole):
    # 256 users, mean latency exp(0.5 ** 2 / 2): by Little's law 256 / 1.133 = 225.9 requests a second.
    true = 256 / math.exp(0.125)
    naive, steady = [], []
    for seed in range(12):
        sent, done = closed_loop(requests, 256, 0.5, seed)
        naive.append(requests / done.max() / true - 1)
        steady.append(throughput(sent, done).rate / true - 1)
    assert np.mean(naive) == pytest.approx(whole, abs=0.03)
    assert abs(np.mean(steady)) <= 0.02


def test_a_rate_of_nothing_is_refused():
    for sent in ([], [1.0, 1.0]):
        with pytest.raises(ValueError, match="over some time"):
            throughput(sent, sent)


def test_what_never_ended_is_not_completed():
    sent = np.arange(0, 100, 0.5)
    done = np.where(np.arange(200) % 2, np.nan, sent + 0.1)
    # Half of two a second.
    assert throughput(sent, done).rate == pytest.approx(1.0, rel=0.03)


def test_the_rate_begins_where_the_start_up_ends():
    # A hundred parts of one second. Nothing is done for ten seconds, then two a second, the last at the very end;
    # of what is sent twenty never end. After 10 and up to 100 s: 180 completions in 90 s.
    done = [*np.arange(10, 100.1, 0.5), *[None] * 20]
    assert throughput(np.arange(0, 100.1, 0.5), done) == Throughput(rate=2.0, since=10.0, until=100.0, settled=True)


def test_few_requests_still_make_four_batches_of_five_parts():
    # Twenty parts of one second for thirty requests; the first five seconds bring nothing.
    found = throughput(np.linspace(0, 20, 30), np.arange(5.5, 20))
    assert found == Throughput(rate=1.0, since=5.0, until=20.0, settled=True)


def test_a_rate_that_goes_on_rising_is_that_of_the_latter_half_and_not_settled():
    # k completions in the k-th of 99 seconds: those from 49 s on are 50 + ... + 99 = 3725 in 50 s.
    done = np.repeat(np.arange(99) + 0.5, np.arange(1, 100))
    found = throughput(np.linspace(0, 99, 198), done)
    assert found == Throughput(rate=3725 / 50, since=49.0, until=99.0, settled=False)
