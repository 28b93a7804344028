"""Start-ups are found where they are, a queue's swings are not taken for one, and a rate is the steady rate."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest

from holdfast.stats.steady import start_up, throughput, trend, truncation


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


@pytest.mark.parametrize("values", [[1.0, math.nan] * 20, [math.inf] * 40])
def test_a_value_that_is_no_number_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        truncation(values)


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        truncation([1.0] * 40, batch=0)


def test_a_cold_start_is_left_out_and_a_swing_is_not():
    times = np.arange(600) / 10
    cold = noise(3, 600) * 0.1 + np.where(times < 10, 5.0, 0.0)
    since, settled = start_up(times, cold)
    assert 9.5 <= since <= 11
    assert settled
    # MSER-5 alone would take a bite of nearly every one of these; chance explains what it takes.
    kept = [start_up(times, noise(seed, 600, correlation=0.9))[0] for seed in range(20)]
    assert sum(since == 0 for since in kept) >= 17


def test_a_line_is_found_in_a_rising_latency_and_its_slope_is_the_overload():
    # A server that takes 100/s and is offered 110/s lets each second wait 1/11 s longer.
    times = np.arange(0, 30, 1 / 110)
    found = trend(times, times / 11 + noise(5, len(times)) * 0.05)
    assert found.slope == pytest.approx(1 / 11, rel=0.05)
    assert found.p < 1e-6
    assert found.error < 0.01


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.99])
def test_a_queue_that_stands_still_seldom_looks_as_if_it_grew(correlation):
    times = np.arange(1500.0)
    wrong = sum(trend(times, noise(seed, 1500, correlation)).p < 0.01 for seed in range(60))
    # 1 % of 60 is 0.6; with correlation the price of a level found from the series itself is paid: up to 5 %.
    assert wrong <= 4


def test_a_line_that_no_point_is_off_is_certain():
    found = trend(np.arange(100.0), np.full(100, 3.0))
    assert (found.slope, found.error, found.p) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("times", [[], [1.0], [1.0, 1.0, 1.0], [0.0, 5.0, 10.0]])
def test_too_little_has_no_trend(times):
    assert trend(times, [1.0] * len(times)) is None


@pytest.mark.parametrize(("times", "values"), [([1.0], []), ([1.0, math.nan], [1.0, 2.0]), ([1.0], [math.inf])])
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
