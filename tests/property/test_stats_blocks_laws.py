"""Laws of blocks: nothing is lost in cutting, bounds hold the mean between them, fair bets stay fair."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import stats
from holdfast.stats import Blocks

TIMES = st.floats(0, 1e4)
MEANS = st.floats(0.001, 0.9)


@st.composite
def records(draw):
    sizes = draw(st.lists(st.integers(1, 50), min_size=20, max_size=60))
    bad = [draw(st.integers(0, size)) for size in sizes]
    return Blocks(seconds=1, bad=tuple(bad), total=tuple(sizes))


@given(st.lists(st.tuples(TIMES, st.booleans()), max_size=60), st.floats(1, 1e4))
def test_every_event_lies_in_exactly_one_block(events, seconds):
    blocks = stats.blocks_of([time for time, _ in events], [bad for _, bad in events], seconds)
    assert sum(blocks.total) == len(events)
    assert sum(blocks.bad) == sum(bad for _, bad in events)
    assert len(blocks.total) <= 1e4 / seconds + 1


@given(st.lists(st.tuples(TIMES, st.booleans()), max_size=30), st.randoms())
def test_the_order_in_which_events_are_listed_does_not_matter(events, random):
    mixed = random.sample(events, len(events))
    assert stats.blocks_of(*_columns(events), 7) == stats.blocks_of(*_columns(mixed), 7)


@settings(max_examples=30, deadline=None)
@given(records())
def test_the_bounds_hold_the_share_seen_between_them(blocks):
    share = sum(blocks.bad) / sum(blocks.total)
    assert 0 <= stats.mean_lower_bound(blocks) <= share + 1e-9
    assert share - 1e-9 <= stats.mean_upper_bound(blocks) <= 1


@settings(max_examples=30, deadline=None)
@given(records(), st.data())
def test_one_more_bad_event_in_a_block_raises_both_bounds(blocks, data):
    place = data.draw(st.integers(0, len(blocks.bad) - 1))
    if blocks.bad[place] == blocks.total[place]:
        return
    worse = replace(blocks, bad=(*blocks.bad[:place], blocks.bad[place] + 1, *blocks.bad[place + 1 :]))
    assert stats.mean_upper_bound(worse) >= stats.mean_upper_bound(blocks)
    assert stats.mean_lower_bound(worse) >= stats.mean_lower_bound(blocks)


@settings(max_examples=30, deadline=None)
@given(records())
def test_the_order_of_blocks_and_empty_blocks_do_not_matter(blocks):
    turned = replace(blocks, bad=(*blocks.bad[::-1], 0), total=(*blocks.total[::-1], 0))
    assert stats.mean_upper_bound(turned) == pytest.approx(stats.mean_upper_bound(blocks))
    assert stats.mean_lower_bound(turned) == pytest.approx(stats.mean_lower_bound(blocks))


@settings(max_examples=30, deadline=None)
@given(records(), st.sampled_from(["good", "bad"]), st.lists(MEANS, min_size=2, max_size=2, unique=True))
def test_the_capital_grows_with_the_distance_of_the_mean_bet_against(blocks, side, means):
    near, far = sorted(means, reverse=side == "bad")
    capital = [stats.log_capital_path(blocks.fractions, mean, side, blocks.sizes)[-1] for mean in (near, far)]
    assert capital[0] <= capital[1] + 1e-9


@settings(deadline=None)
@given(st.sampled_from(["good", "bad"]), MEANS, st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_a_fair_game_keeps_its_mean(side, mean, sizes):
    # Each block all bad with chance `mean`, else all good: over all outcomes the capital is 1 on average.
    ends = (
        math.prod(mean if one else 1 - mean for one in path)
        * math.exp(stats.log_capital_path(path, mean, side, sizes)[-1])
        for path in itertools.product((0.0, 1.0), repeat=len(sizes))
    )
    assert math.fsum(ends) == pytest.approx(1)


@given(records())
def test_dependent_events_never_tell_more_than_independent_ones(blocks):
    assert 1 <= stats.design_effect(blocks) < math.inf


@given(st.lists(st.tuples(TIMES, st.booleans(), st.floats(0, 10)), max_size=60), st.randoms())
def test_the_order_of_the_record_changes_no_effect(events, random):
    mixed = random.sample(events, len(events))
    told = [stats.effect_seen(*zip(*rows, strict=True)) for rows in (events, mixed) if rows]
    assert len({round(effect, 9) for effect in told}) <= 1
    assert all(effect >= 1 for effect in told)


@given(st.integers(0, 50), st.integers(1, 2000), st.floats(0.001, 0.5), st.floats(1, 100))
def test_an_effect_only_ever_takes_a_decision_back(bad, good, limit, effect):
    plain = stats.decide(bad, bad + good, limit)
    assert stats.decide(bad, bad + good, limit, effect=effect) in {plain, None}


def _columns(events):
    return [time for time, _ in events], [bad for _, bad in events]
