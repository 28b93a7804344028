"""A capacity study as people and machines read it: the sentence, the table, the plan, the page, the JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.capacity import planning
from holdfast.capacity.answer import Answer
from holdfast.capacity.curve import Estimate
from holdfast.capacity.probe import Judged, Objective, Probe, Tail
from holdfast.model.verdict import State
from holdfast.report import capacity as told

GOLDEN = Path(__file__).parent / "golden"
TTFT = Objective(name="gateway/ttft", limit=0.05, bound=0.5)


def a_probe(rate, state, bad, **changes):
    n = int(rate * 30)
    judged = Judged(
        objective=TTFT, state=state, n=n, bad=bad, effect=1.5, low=bad / n / 2, high=min(1.0, bad / n * 2 + 0.001),
        tail=Tail(-4.0, 0.5, at_most=False),
    )  # fmt: skip
    kept = {
        "rate": rate, "seconds": 30.0, "offered": rate, "achieved": rate, "state": state, "judged": (judged,),
        "cut": 0.0, "settled": True, "slope": 0.0, "growing": False, "easing": False, "p50": 0.08 + rate / 500,
        "p95": 0.12 + rate / 100,
    }  # fmt: skip
    return Probe(**{**kept, **changes})


FOUND = Answer(
    boundary="unstable",
    estimate=Estimate(rate=24.13, low=23.0, high=25.2, steepness=70.0),
    confidence=0.95,
    proved=20.0,
    refuted=40.0,
    knee=17.5,
    probes=(
        a_probe(5.0, State.UNKNOWN, 0),
        a_probe(20.0, State.PASS, 3, cut=4.2),
        a_probe(40.0, State.FAIL, 900, growing=True, achieved=25.1),
        a_probe(24.0, State.UNKNOWN, 30, late="p99 lateness 80ms, at most 50ms", p50=math.nan, p95=math.nan),
    ),
    why="all 4 probes are used",
)
LOST = replace(FOUND, boundary="undecided", estimate=None, proved=None, refuted=None, knee=None, probes=())


def test_the_whole_of_it_in_words(golden):
    need = planning.need(95, FOUND.estimate, 3)
    cost = planning.cost(need, planning.Prices(gpu_hour=2.5, currency="EUR", gpus_per_replica=1), 50.0)
    table = ["  ".join(row).rstrip() for row in told.rows(FOUND)]
    lines = [told.headline(FOUND), *table, *told.lines(FOUND), *told.plan_lines(need, cost), told.headline(LOST)]
    golden(GOLDEN / "capacity.txt", "\n".join(lines) + "\n")


def test_for_machines_no_number_is_infinite(golden):
    text = json.dumps(told.answer_dict(FOUND), indent=2, allow_nan=False)
    golden(GOLDEN / "capacity.json", text + "\n")


@pytest.mark.parametrize("boundary", told.MEANING)
def test_every_boundary_has_words_and_only_found_ones_name_a_capacity(boundary):
    text = told.headline(replace(FOUND, boundary=boundary))
    assert text.startswith("Capacity 24.1/s" if boundary in {"cliff", "slope", "unstable"} else "No capacity found")


def test_a_page_has_a_picture_of_each_search_and_the_same_text_every_time():
    parts = [("All 3 engines", FOUND), ("Without 1 of them", LOST)]
    page = told.page("Capacity for chat-peak", parts, ["For 95/s …"])
    assert page.count("<svg") == 4
    assert "no data: no probe has an answer" in page
    assert "24.1/s, unstable" in page
    assert page == told.page("Capacity for chat-peak", parts, ["For 95/s …"])


def test_names_from_files_are_escaped():
    judged = replace(FOUND.probes[2].judged[0], objective=replace(TTFT, name="<script>\x1b[31m"))
    hostile = replace(FOUND, probes=(replace(FOUND.probes[2], judged=(judged,)),), why="<script>")
    page = told.page("<script>", [("<script>", hostile)], [])
    assert "<script>" not in page
    assert "\x1b" not in page
