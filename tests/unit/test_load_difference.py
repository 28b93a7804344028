"""Two sides of runs under the same load: what is slower, what fails more, and what these runs could not have shown."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from holdfast.loadtest.difference import Allowed, figures
from holdfast.model.verdict import State


def run(seed, *, slower=1.0, failed=0.0, size=3000, rate=50.0):
    """Requests every 20 ms: first token after some 100 ms, then 50 tokens 10 ms apart; some end in nothing."""
    random = np.random.default_rng(seed)
    due = np.arange(size) / rate
    first = due + slower * 0.1 * random.lognormal(0, 0.3, size)
    gap = slower * 0.01 * random.lognormal(0, 0.1, size)
    bad = random.random(size) < failed
    frame = pd.DataFrame(
        {"due": due, "first": first, "last": first + 49 * gap, "tokens": 50.0, "max_gap": 1.5 * gap, "outcome": "ok"}
    )
    frame["done"] = frame["last"]
    frame.loc[bad, "outcome"] = "cut"
    return frame


def compared(base, new, **allowed):
    found = figures(base, new, Allowed(**allowed), random=np.random.default_rng(1))
    return {one.name: one for one in found}


def test_equal_sides_are_proved_equal_within_the_margin():
    found = compared([run(1)], [run(2)])
    assert list(found) == [
        *("failed", "ttft p50", "ttft p99", "e2e p50", "e2e p99"),
        *("tpot p50", "tpot p99", "largest gap p50", "largest gap p99"),
    ]
    assert {one.state for one in found.values() if one.name.endswith("p50")} == {State.PASS}
    assert not any(one.differs for one in found.values())


def test_a_side_that_is_a_third_slower_fails():
    found = compared([run(1)], [run(2, slower=1.33)])
    assert found["ttft p50"].state is State.FAIL
    assert found["ttft p50"].low > 1.1
    assert found["failed"].state is State.PASS


def test_a_side_that_is_faster_differs_and_passes():
    found = compared([run(1)], [run(2, slower=0.8)])["ttft p50"]
    assert (found.state, found.differs) == (State.PASS, True)


def test_what_was_not_measured_well_enough_is_unknown_and_says_what_would_have_been_seen():
    found = compared([run(1, size=120)], [run(2, size=120)], slower=0.02)["ttft p50"]
    assert found.state is State.UNKNOWN
    assert found.smallest > 1.02
    assert found.seen.startswith("±")


def test_requests_that_fail_are_infinitely_slow_and_not_left_out():
    # 2 % failed: the 99th percentile of all requests is a failure, although all good answers are as fast as before.
    found = compared([run(1)], [run(2, failed=0.02)])
    assert found["ttft p99"].new == "never"
    assert found["ttft p99"].state is State.UNKNOWN
    assert found["failed"].differs


def test_more_failures_than_allowed_fail():
    assert compared([run(1)], [run(2, failed=0.05)])["failed"].state is State.FAIL
    assert compared([run(1)], [run(2, failed=0.05)], failing=0.1)["failed"].state is State.PASS


def test_answers_of_one_token_have_no_time_per_token():
    short = [run(seed).assign(tokens=1.0, max_gap=math.nan) for seed in (1, 2)]
    assert list(compared(short[:1], short[1:])) == ["failed", "ttft p50", "ttft p99", "e2e p50", "e2e p99"]


@pytest.mark.parametrize("sides", [([], [run(2)]), ([run(1)], []), ([run(1)], [run(2, size=0)])])
def test_a_side_without_requests_decides_nothing(sides):
    (only,) = compared(*sides).values()
    assert (only.name, only.state) == ("failed", State.UNKNOWN)


def test_where_all_failed_there_is_no_latency_to_compare():
    found = compared([run(1)], [run(2, failed=1.1)])
    assert list(found) == ["failed"]
    assert found["failed"].state is State.FAIL
