"""How late usage was, counted in heaps: no request lost, none too young, and no more memory in a longer outage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from refplatform.gateway.freshness import AGES, GRAIN, MOST, PROMISED, Ages, Waiting

steps = st.lists(st.floats(0, 3), min_size=1, max_size=50)


def ends_of(gaps):
    """Moments, each so many seconds after the last."""
    moments, now = [], 0.0
    for gap in gaps:
        now += gap
        moments.append(now)
    return moments


@given(steps)
def test_every_request_is_in_one_heap_and_looks_at_most_a_grain_older_than_it_is(gaps):
    waiting, ends = Waiting(), ends_of(gaps)
    for ended in ends:
        waiting.add(ended)
    heaped = [first for first, count in waiting.take() for _ in range(count)]
    assert len(heaped) == len(ends)
    assert all(0 <= ended - first < GRAIN for ended, first in zip(ends, heaped, strict=True))


def test_taking_leaves_nothing():
    waiting = Waiting()
    waiting.add(1.0)
    assert waiting.take() == ((1.0, 1),)
    assert waiting.take() == ()


def test_an_hours_outage_takes_no_more_memory_and_no_request_crosses_an_edge():
    waiting, now = Waiting(), 3600.0
    for tenth in range(36_000):  # ten requests a second for an hour
        waiting.add(tenth / 10)
    heaps = waiting.take()
    assert len(heaps) <= MOST
    assert sum(count for _, count in heaps) == 36_000
    # 0.1, 0.2, ... 60 s old are 600; one grain too old is allowed.
    young = sum(count for ended, count in heaps if now - ended <= AGES[-1])
    assert 600 - 10 * GRAIN <= young <= 600


def test_the_sum_of_all_ages_survives_that_heaps_are_joined():
    waiting = Waiting()
    for second in range(2 * MOST):
        waiting.add(float(second))
    total = sum(ended * count for ended, count in waiting.take())
    assert total == pytest.approx(MOST * (2 * MOST - 1))  # 0 + 1 + ... + 1999


def test_the_histogram_is_what_prometheus_expects():
    ages, registry = Ages("age_seconds", "Age."), CollectorRegistry()
    registry.register(ages)
    assert registry.get_sample_value("age_seconds_count") == 0  # exists before anything happens
    ages.observe(5.0, 3)  # on the edge: within it
    ages.observe(5.1, 2)
    ages.observe(99.0, 1)

    def bucket(edge):
        return registry.get_sample_value("age_seconds_bucket", {"le": edge})

    assert [bucket(edge) for edge in ("2.0", "5.0", "10.0", "60.0", "+Inf")] == [0, 3, 5, 5, 6]
    assert registry.get_sample_value("age_seconds_count") == 6
    assert registry.get_sample_value("age_seconds_sum") == pytest.approx(3 * 5 + 2 * 5.1 + 99)


def test_what_waits_and_is_late_is_counted_once_and_no_bucket_ever_falls():
    ages, waiting, registry = Ages("age_seconds", "Age."), Waiting(), CollectorRegistry()
    registry.register(ages)
    now = 0.0
    ages.waiting = lambda: waiting.late(now)

    def shown():
        names = [("age_seconds_bucket", {"le": edge}) for edge in ("5.0", "10.0", "+Inf")]
        return [registry.get_sample_value(name, labels) for name, labels in names]

    waiting.add(0.0)
    now = 5.0
    assert shown() == [0, 0, 0]  # nobody can say yet
    now = 5.1
    assert shown() == [0, 0, 1]
    now = 8.0
    for ended, count in waiting.take():  # Redis is back
        ages.observe(now - ended, count)
    assert shown() == [0, 1, 1]


def test_what_is_promised_can_be_counted():
    assert PROMISED in AGES
