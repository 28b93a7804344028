"""Sketches answer within half a percent, and merge as if nobody had ever counted apart."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.stats.sketch import ACCURACY, LEAST, MOST, Sketch

SHARES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
SECONDS = st.lists(st.floats(min_value=LEAST, max_value=MOST), min_size=1, max_size=200)


def exact(values, share):
    return float(np.quantile(values, share, method="inverted_cdf"))


def test_the_accuracy_is_better_than_half_a_percent():
    assert ACCURACY < 0.005


@given(SECONDS)
def test_every_quantile_is_within_half_a_percent_of_a_value_that_was_seen(values):
    sketch = Sketch.of(values)
    for share in SHARES:
        assert sketch.quantile(share) == pytest.approx(exact(values, share), rel=0.005)


@pytest.mark.parametrize("median", [0.0002, 0.001, 0.02, 0.5, 8.0, 60.0])
def test_so_are_those_of_two_hundred_thousand_lognormal_times_of_any_size(median):
    values = np.clip(np.random.default_rng(4).lognormal(math.log(median), 0.6, 200_000), LEAST, MOST)
    sketch = Sketch.of(values)
    worst = max(abs(sketch.quantile(share) / exact(values, share) - 1) for share in SHARES)
    assert worst < 0.005


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_merged_over_workers_is_pooled_bit_for_bit(workers):
    values = np.random.default_rng(5).lognormal(-3, 1.5, 10_001)
    merged = Sketch.merged(Sketch.of(values[number::workers]) for number in range(workers))
    assert merged.counts.tobytes() == Sketch.of(values).counts.tobytes()


@given(SECONDS, SECONDS, SECONDS)
def test_order_and_grouping_of_a_merge_do_not_matter(first, second, third):
    a, b, c = (Sketch.of(one) for one in (first, second, third))
    assert Sketch.merged([Sketch.merged([a, b]), c]) == Sketch.merged([c, Sketch.merged([b, a])])


def test_an_answer_that_never_came_is_longer_than_any_other():
    # 1 of 4 never came: three quarters are known, more are not.
    sketch = Sketch.of([0.1, 0.2, 0.3, math.inf])
    assert sketch.quantile(0.75) == pytest.approx(0.3, rel=0.005)
    assert sketch.quantile(0.76) == math.inf


def test_what_is_longer_than_ten_minutes_is_only_known_to_be_longer():
    assert Sketch.of([2 * MOST]).quantile(0.5) == math.inf


def test_nothing_counted_is_not_zero():
    assert math.isnan(Sketch().quantile(0.5))
    assert math.isnan(Sketch.merged([]).quantile(0.99))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seconds", [0.0, LEAST / 2, LEAST])
def test_what_is_shorter_than_a_tenth_of_a_millisecond_counts_as_that(seconds):
    assert Sketch.of([seconds]).quantile(0.5) == LEAST


def test_what_is_hardly_longer_than_that_is_known_as_well_as_any_other():
    seconds = LEAST * 1.001
    assert Sketch.of([seconds]).quantile(0.5) == pytest.approx(seconds, rel=ACCURACY)
    assert Sketch.of([seconds]) != Sketch.of([LEAST])


def test_the_whole_range_of_shares_is_from_the_least_to_the_largest():
    sketch = Sketch.of([0.1, 0.2, 0.3])
    assert sketch.quantile(0) == pytest.approx(0.1, rel=ACCURACY)
    assert sketch.quantile(1) == pytest.approx(0.3, rel=ACCURACY)


def test_only_a_sketch_of_the_same_counts_is_equal():
    assert Sketch.of([0.1]) == Sketch.of([0.1])
    assert Sketch.of([0.1]) != Sketch.of([0.2])
    assert Sketch.of([0.1]) != {"1": 1}


@pytest.mark.parametrize("values", [[math.nan], [0.1, math.nan], [-0.1], [None]])
def test_what_is_not_known_is_not_counted(values):
    with pytest.raises(ValueError, match="seconds"):
        Sketch.of(values)


@given(SECONDS)
def test_a_sketch_travels_as_json(values):
    sketch = Sketch.of(values)
    assert Sketch.from_json(json.loads(json.dumps(sketch.to_json()))) == sketch


@pytest.mark.parametrize("told", [{"-1": 1}, {"99999": 1}, {"x": 1}, {"3": -1}, {"3": 1.5}, {"3": True}])
def test_a_broken_message_is_refused(told):
    with pytest.raises(ValueError, match="bucket"):
        Sketch.from_json(told)


def test_the_bucket_after_the_last_does_not_exist():
    buckets = len(Sketch().counts)
    assert Sketch.from_json({str(buckets - 1): 1}) == Sketch.of([math.inf])
    with pytest.raises(ValueError, match="bucket"):
        Sketch.from_json({str(buckets): 1})


def test_a_bucket_may_be_said_to_hold_nothing():
    assert Sketch.from_json({"3": 0}) == Sketch()


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_lies_between_0_and_1(share):
    with pytest.raises(ValueError, match="share"):
        Sketch.of([0.1]).quantile(share)
