"""The lives of blocks of the KV cache, as vLLM samples them."""

import random

import pytest

from refplatform.engine.scheduler import BlockPool, Evicted, Residency, Sequence


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def at(clock, second, do, *names):
    clock.now = float(second)
    for name in names:
        do(name)


def test_a_life_goes_from_the_name_to_the_eviction_and_is_idle_since_it_was_last_found(clock):
    residency = Residency(1.0, clock=clock, source=random.Random(0))
    at(clock, 1, residency.born, "a", "b")
    for second in (2, 3, 5, 8, 12):
        at(clock, second, residency.found, "a")
    at(clock, 20, residency.evicted, "a", "b", "never seen")
    # Only the last four times are remembered: 3, 5, 8, 12.
    assert residency.take() == [
        Evicted(lifetime=19.0, idle=8.0, gaps=(2.0, 3.0, 4.0)),
        Evicted(lifetime=19.0, idle=19.0, gaps=()),
    ]
    assert residency.take() == []


def test_who_is_evicted_and_comes_again_has_another_life(clock):
    residency = Residency(1.0, clock=clock, source=random.Random(0))
    for second in (0, 10):
        at(clock, second, residency.born, "a")
        at(clock, second + 1, residency.evicted, "a")
    assert [life.lifetime for life in residency.take()] == [1.0, 1.0]


def test_a_sample_follows_about_its_share(clock):
    residency = Residency(0.1, clock=clock, source=random.Random(0))
    at(clock, 0, residency.born, *range(10_000))
    at(clock, 1, residency.evicted, *range(10_000))
    assert 900 < len(residency.take()) < 1100  # 1000, and more than three deviations of 30 to both sides


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_is_more_than_nothing_and_at_most_all(share, clock):
    with pytest.raises(ValueError, match="sampled share"):
        Residency(share, clock=clock, source=random.Random(0))


def test_the_cache_tells_who_was_found_and_evicted_and_emptying_it_is_no_eviction(clock):
    residency = Residency(1.0, clock=clock, source=random.Random(0))
    pool = BlockPool(4, residency)

    def pass_through(names, second):
        clock.now = float(second)
        sequence = Sequence(16 * len(names), 1, names)
        pool.share(sequence, pool.find(names, sequence.prompt))
        pool.grow(sequence, sequence.prompt)
        pool.offer(sequence, sequence.prompt)
        pool.release(sequence)

    pass_through((1, 2), 0)
    pass_through((1,), 3)
    pass_through((5, 6, 7), 10)  # two blocks are empty, and one of the others has to go: 2, which ended a prefix
    assert residency.take() == [Evicted(lifetime=10.0, idle=10.0, gaps=())]
    assert pool.reset()
    pass_through((8, 9, 10, 11), 20)
    assert residency.take() == []
