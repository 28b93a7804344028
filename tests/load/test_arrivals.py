"""Arrivals are a process of mean rate one, warped by a rate over time: each has the law that its name promises."""

from __future__ import annotations

import hashlib
import math
import statistics
from array import array
from itertools import islice, pairwise, takewhile
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.arrivals import processes, shapes
from holdfast.arrivals.warp import chance, due_times
from holdfast.arrivals.words import WordError

PROCESSES = ("constant", "poisson", "gamma cv=0.3", "gamma cv=3", "mmpp high=5 share=10% run=30")
SHAPES = (
    "flat",
    "ramp from=0.1 to=1 over=60s",
    "ramp from=2 to=0 over=30s at=10s",
    "step to=3 at=20s",
    "spike from=0 to=5 at=30s for=10s",
    "diurnal low=0 high=2 period=40s start=7s",
    "diurnal low=1 period=10s",
    "piecewise 10s=0 20s=3 20s=1 45s=0 60s=0.5",
)


def points(text: str, count: int, seed: int = 1) -> list[float]:
    return list(islice(processes.read(text).points(Random(seed)), count))


def gaps(text: str, count: int, seed: int = 1) -> list[float]:
    return [later - earlier for earlier, later in pairwise(points(text, count + 1, seed))]


def dues(process: str, shape: str = "flat", *, rate=10.0, seed=1, length=60.0) -> list[float]:
    return list(due_times(processes.read(process), shapes.read(shape), rate=rate, seed=seed, length=length))


def dispersion(times: list[float], window: float, length: float) -> float:
    """Variance over mean of the counts in windows back to back: 1 for Poisson."""
    counts = [0] * int(length / window)
    for time in times:
        if time < len(counts) * window:
            counts[int(time / window)] += 1
    return statistics.pvariance(counts) / statistics.mean(counts)


# The law of each process.


def test_constant_points_are_the_whole_numbers():
    assert points("constant", 4) == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("process", "law"),
    [
        ("poisson", lambda stats: stats.expon()),
        # Mean one and coefficient of variation c: shape 1 / c ** 2, scale c ** 2.
        ("gamma cv=1", lambda stats: stats.expon()),
        ("gamma cv=0.3", lambda stats: stats.gamma(1 / 0.09, scale=0.09)),
        ("gamma cv=2", lambda stats: stats.gamma(0.25, scale=4.0)),
    ],
)
def test_gaps_follow_the_exact_law(process, law):
    from scipy import stats

    # Kolmogorov and Smirnov: with n = 10,000 the distance stays below 1.95 / sqrt(n) = 0.0195 in 999 of 1000 samples.
    assert stats.kstest(gaps(process, 10_000), law(stats).cdf).statistic < 0.0195


@pytest.mark.parametrize(("process", "variation"), [("poisson", 1.0), ("gamma cv=0.3", 0.3), ("gamma cv=2", 2.0)])
def test_gaps_have_mean_one_and_the_coefficient_of_variation_that_was_asked_for(process, variation):
    found = gaps(process, 40_000)
    # The mean of n gaps has a standard error of cv / sqrt(n) = cv / 200; four of them.
    assert statistics.mean(found) == pytest.approx(1, abs=4 * variation / 200)
    assert statistics.pstdev(found) / statistics.mean(found) == pytest.approx(variation, rel=0.05)


@pytest.mark.parametrize("process", ["poisson", "gamma cv=0.3", "gamma cv=4", "mmpp high=5 share=10% run=30"])
def test_the_rate_is_right_from_the_very_start(process):
    # 1,000 seeds, 5 mean gaps each: 5,000 points on average. Begun with a point instead of in mid-gap, gamma with
    # cv = 4 would have some (16 - 1) / 2 more of them in each.
    counts = [
        len(list(takewhile(lambda at: at < 5, processes.read(process).points(Random(seed))))) for seed in range(1000)
    ]
    error = statistics.pstdev(counts) / math.sqrt(len(counts))
    assert statistics.mean(counts) == pytest.approx(5, abs=4 * error)


@pytest.mark.parametrize(("high", "share", "run"), [(5.0, 0.1, 30.0), (10.0, 0.1, 20.0), (2.0, 0.5, 200.0)])
def test_a_modulated_process_is_as_dispersed_as_its_theory_says(high, share, run):
    process = f"mmpp high={high} share={share:%} run={run}"
    low, window, length = (1 - high * share) / (1 - share), 100.0, 100_000.0
    # Rates of leaving: 1 / run out of a burst, share / (run * (1 - share)) into one; s is their sum.
    s = 1 / run + share / (run * (1 - share))
    # Index of dispersion over t: 1 + 2 p (1 - p) (high - low)^2 / s * (1 - (1 - e^(-s t)) / (s t)), with mean rate one.
    theory = 1 + 2 * share * (1 - share) * (high - low) ** 2 / s * (1 - (1 - math.exp(-s * window)) / (s * window))
    times = list(takewhile(lambda at: at < length, processes.read(process).points(Random(3))))
    assert dispersion(times, window, length) == pytest.approx(theory, rel=0.2)
    assert len(times) / length == pytest.approx(1, rel=0.05)


def test_a_modulated_process_can_be_as_bursty_as_the_azure_code_trace_and_poisson_cannot():
    # Azure 2023 code: 2.6/s, index of dispersion 164 over 60 s, that is over 156 mean gaps.
    length = 60 * 1000.0
    bursty = dues("mmpp high=30 share=3% run=150", rate=2.6, length=length)
    assert dispersion(bursty, 60, length) > 100
    assert dispersion(dues("poisson", rate=2.6, length=length), 60, length) == pytest.approx(1, abs=0.15)


# The rate over time.


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        # Each over the first 60 s.
        ("flat", 60.0),
        # On average (0.1 + 1) / 2, for 60 s.
        ("ramp from=0.1 to=1 over=60s", 33.0),
        # 0.5 for 10 s, on the way to 1 for 20 s, 1 for 30 s: 5 + 15 + 30.
        ("ramp from=0.5 to=1 over=20s at=10s", 50.0),
        # 20 * 1 + 40 * 3.
        ("step to=3 at=20s", 140.0),
        # 50 * 1 + 10 * 5.
        ("spike to=5 at=30s for=10s", 100.0),
        # A whole number of periods: their mean, (0.2 + 1) / 2, for 60 s.
        ("diurnal low=0.2 period=20s", 36.0),
        # Half a period from the lowest moment: 60 * 0.5, and by symmetry no more.
        ("diurnal low=0 period=120s", 30.0),
        # The first quarter, from the lowest moment: 60 * (0.5 - 0.5 * 2 / pi) = 30 * (1 - 0.63662).
        ("diurnal low=0 period=240s", 10.901),
        # 1 for 10 s, a triangle of 10 * (1 + 3) / 2, then 2 for 40 s: 10 + 20 + 80.
        ("piecewise 10s=1 20s=3 20s=2", 110.0),
    ],
)
def test_the_integrated_rate_of_each_shape(shape, area):
    assert shapes.read(shape).area(60.0) == pytest.approx(area, abs=0.001)
    # Constant arrivals at 10/s are then exactly ten times as many, the first at once.
    assert len(dues("constant", shape)) == math.ceil(10 * area - 1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=20, deadline=None)
@given(area=st.floats(0, 200))
def test_the_inverse_gives_the_integral_back(shape, area):
    curve = shapes.read(shape)
    time = curve.when(area)
    if time < math.inf:
        assert curve.area(time) == pytest.approx(area, abs=1e-6)
    else:
        assert curve.area(1e6) <= area + 1e-9


def test_while_the_rate_is_zero_nothing_is_due():
    found = dues("constant", "spike from=0 to=5 at=30s for=10s")
    # The first comes when the rate rises, not at second 0 where as little has come; 50/s for 10 s are 500.
    assert (len(found), found[0], found[-1]) == (500, 30.0, 39.98)
    assert dues("constant", "ramp from=1 to=0 over=10s", length=1000)[-1] < 10


def test_poisson_arrivals_follow_the_shape_and_stay_poisson_in_its_own_time():
    from scipy import stats

    shape = shapes.read("ramp from=0.1 to=1 over=60s")
    found = dues("poisson", "ramp from=0.1 to=1 over=60s", rate=500.0)
    # 500 * 33 = 16,500 expected, sigma 128.
    assert len(found) == pytest.approx(16_500, abs=4 * 128)
    # In even time the gaps are exponential again (time rescaling), and the times themselves lie as the ramp's integral.
    even = [500 * shape.area(due) for due in found]
    assert stats.kstest([b - a for a, b in pairwise(even)], stats.expon().cdf).statistic < 1.95 / math.sqrt(
        len(even) - 1
    )
    assert stats.kstest(even, stats.uniform(0, 16_500).cdf).statistic < 1.95 / math.sqrt(len(even))


@pytest.mark.parametrize(("second", "wanted"), [(5, 10.0), (35, 50.0), (55, 10.0)])
def test_a_spike_is_there_when_it_should_be(second, wanted):
    counts = [
        sum(second <= due < second + 4 for due in dues("poisson", "spike to=5 at=30s for=10s", seed=seed))
        for seed in range(40)
    ]
    # 40 seeds of 4 s: the mean of counts has a standard error of sqrt(4 * wanted / 40); four of them.
    assert statistics.mean(counts) == pytest.approx(4 * wanted, abs=4 * math.sqrt(4 * wanted / 40))


# What holds for all of them.


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**9), length=st.floats(0.1, 70))
def test_due_times_are_sorted_within_the_run_and_a_longer_run_begins_with_them(process, shape, seed, length):
    short = dues(process, shape, rate=3.0, seed=seed, length=length)
    long = dues(process, shape, rate=3.0, seed=seed, length=length + 5)
    assert short == sorted(short)
    assert all(0 <= due < length for due in short)
    assert short == [round(due, 6) for due in short]
    assert long[: len(short)] == short


@pytest.mark.parametrize(
    ("process", "shape", "digest"),
    [
        ("constant", "flat", "81fafe394fa5"),
        ("poisson", "flat", "70e23bbe8005"),
        ("gamma cv=2", "flat", "b429b19df32c"),
        ("mmpp high=5 share=10% run=30", "flat", "e6d8ceb48c31"),
        ("poisson", "ramp from=0.1 to=1 over=60s", "6e50555380fb"),
        ("poisson", "step to=3 at=20s", "9692396b3128"),
        ("poisson", "spike to=5 at=30s for=10s", "f355c990ca12"),
        ("poisson", "diurnal low=0.2 period=1m", "f7f672163678"),
        ("poisson", "piecewise 0s=1 20s=3 20s=0", "ccec3e5b13b1"),
    ],
)
def test_the_same_seed_gives_the_same_microseconds_today_and_in_a_year(process, shape, digest):
    micros = array("q", [round(due * 1e6) for due in dues(process, shape, seed=7)])
    assert hashlib.sha256(micros.tobytes()).hexdigest()[:12] == digest


def test_a_chance_belongs_to_its_seed_use_and_number():
    assert chance(1, "tenant", 5) == chance(1, "tenant", 5)
    assert len({chance(1, "tenant", 5), chance(2, "tenant", 5), chance(1, "model", 5), chance(1, "tenant", 6)}) == 4
    drawn = [chance(1, "tenant", number) for number in range(10_000)]
    # Uniform: mean 1/2 with a standard error of 1 / sqrt(12 * 10,000) = 0.0029.
    assert statistics.mean(drawn) == pytest.approx(0.5, abs=4 * 0.0029)
    assert (min(drawn) >= 0, max(drawn) < 1) == (True, True)


# What is refused, with the fragment that is wrong.


@pytest.mark.parametrize(
    ("read", "text", "message", "fragment", "hint"),
    [
        (processes.read, "poison", "no process 'poison'", "poison", "did you mean poisson?"),
        (processes.read, "", "no process ''", "", "processes are constant, gamma, mmpp, poisson"),
        (processes.read, "poisson cv=1", "unknown setting 'cv'", "cv", "it has no settings"),
        (processes.read, "gamma", "cv must be set", "", "settings are cv"),
        (processes.read, "gamma 2", "expected KEY=VALUE, got '2'", "2", ""),
        (processes.read, "gamma cv=0", "cv: expected more than zero, got '0'", "cv=0", ""),
        (processes.read, "gamma cv=nan", "cv: expected a number of at least 0, got 'nan'", "cv=nan", ""),
        (processes.read, "gamma cv=1 cv=2", "cv is set twice", "cv=2", ""),
        (
            processes.read,
            "mmpp high=20 share=10%",
            "high times share must not be more than 100%",
            "",
            "between 1 and 10",
        ),
        (processes.read, "mmpp high=2 share=0%", "share must lie between", "", ""),
        (processes.read, "mmpp high=2 share=9% run=0.001", "run must be at least 1", "", ""),
        (processes.read, "gamma cv=1e300", "cv must lie between 0.01 and 100", "", ""),
        (shapes.read, "ramp", "over must be set", "", "settings are from, to, over, at"),
        (shapes.read, "ramp over=60", "over: expected a duration", "over=60", ""),
        (shapes.read, "ramp from=-1 over=60s", "from: expected a number of at least 0", "from=-1", ""),
        (shapes.read, "ramp to=0 over=9s", "it would offer nothing", "", ""),
        (shapes.read, "piecewise", "needs points", "", "0s=1 60s=3"),
        (shapes.read, "piecewise 9s=1 5s=2", "in the order of their time", "", ""),
        (shapes.read, "piecewise 0=1", "expected a duration", "0=1", ""),
        (shapes.read, "diurnal low=2", "low must not be more than high", "", ""),
    ],
)
def test_what_is_no_process_or_shape_is_refused_with_what_to_write(read, text, message, fragment, hint):
    with pytest.raises(WordError) as caught:
        read(text)
    assert message in str(caught.value)
    assert caught.value.fragment == fragment
    assert hint in caught.value.hint
