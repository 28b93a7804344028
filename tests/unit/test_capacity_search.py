"""One simulated server of each family is searched; `benchmarks/capacity_search.py` searches two hundred of them."""

from __future__ import annotations

import pytest

from capacity_worlds import FAMILIES, Bench, truth, world
from holdfast.capacity.search import Ask, Plan, step

pytestmark = pytest.mark.slow


def test_one_server_of_each_family_is_searched_in_eight_probes_and_fifteen_minutes():
    near = []
    for number in range(len(FAMILIES)):
        one = world(number)
        plan, bench = Plan(low=one.low, high=one.high), Bench(world=one, seed=number)
        while isinstance(known := step(plan, bench.probes, bench.now), Ask):
            bench.probe(known, plan.alpha_each)
        assert len(bench.probes) <= 8
        # The last probe ends within the time; its backlog may not.
        assert bench.now <= 15 * 60 + 60
        near.append(abs(known.estimate.rate / truth(one, requests=60_000) - 1) <= 0.05)
    # One of six may be unlucky.
    assert sum(near) >= 5
