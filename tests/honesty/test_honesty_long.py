"""Every cell with thousands of runs: the goals hold, and the page in the reference is what the code measures.

Minutes of one core, so only on request: HOLDFAST_HONESTY=1 pytest tests/honesty
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from honest_page import RUNS, SEED, goals, page
from honest_rules import measure_all

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "honesty.md"

pytestmark = [
    pytest.mark.honesty,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        os.environ.get("HOLDFAST_HONESTY") != "1", reason="minutes of simulation; set HOLDFAST_HONESTY=1 to run it"
    ),
]


@pytest.fixture(scope="module")
def tallies():
    return measure_all(runs=RUNS, seed=SEED)


def test_every_goal_is_met_or_missed_by_chance_alone(tallies):
    assert [goal.line for goal in goals(tallies) if goal.met == "**no**"] == []


def test_the_page_is_what_the_simulation_measures(tallies):
    assert PAGE.read_text(encoding="utf-8") == page(tallies)
