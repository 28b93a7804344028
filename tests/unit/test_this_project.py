"""This project's own scenarios, experiments, SLOs and loads: what newcomers copy has to be right."""

from __future__ import annotations

from pathlib import Path

from holdfast import app

ROOT = Path(__file__).parents[2]


def test_every_scenario_and_every_experiment_is_valid():
    looked_at, problems = app.check([], ROOT)
    assert [str(one) for one in problems] == []
    assert len(looked_at) >= len(list((ROOT / "scenarios").glob("*.yaml")))
