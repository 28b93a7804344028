"""A plan as a person reads it: within the terminal's width, every number where its question is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from examples import write_project
from holdfast import app
from holdfast.model.scenario import Forecast, Phase
from holdfast.plan import TIMES, Joint, Needs, Plan, PlannedPhase, Strike, make_plan
from holdfast.report.plan import chance, plan_text, plans_text
from holdfast.testing import a_scenario

GOLDEN = Path(__file__).parent / "golden"
KILL = Strike(fault="kill", role="engine", count=1, needs=())


def a_forecast(name, *numbers, power, **changes):
    expects, needs, most_bad, limit = numbers
    kept = {
        "expectation": name,
        "expects": expects,
        "needs": needs,
        "most_bad": most_bad,
        "limit": limit,
        "seconds": expects / 12,
        "needs_seconds": needs / 12,
        "power": dict(zip(TIMES, power, strict=True)),
    }
    return Forecast(**{**kept, **changes})


CALM = a_forecast(
    "slo:gateway/availability[baseline,recovery]", 540, 299, 1, 0.01, power=(1.0, 0.9, 0.25, 0.03, 0.0002)
)
BROKEN = a_forecast("slo:gateway/availability[fault]", 240, 59, 6, 0.05, power=(1.0, 0.9996, 0.61, 0.04, 0.0001))
FAST = a_forecast("latency:ttft<300ms[baseline,recovery]", 540, 59, 18, 0.05, power=(1.0, 0.9999, 0.91, 0.045, 0.002))
SEEN = Forecast(expectation="recovery:gateway/availability", expects=900, note="exact, decided by what is seen")
JOINT = ((1.0, 1.0), (0.8995, 0.9), (0.0, 0.25), (0.0, 0.03), (0.0, 0.0001))


def a_plan(*strikes, **changes):
    """75 s at 12/s; an engine dies in the fault's phase, or whatever is struck instead."""
    starts = {"warmup": (0, 10), "baseline": (10, 30), "fault": (30, 50), "recovery": (50, 75)}
    struck = strikes or (KILL,)
    phases = tuple(
        PlannedPhase(
            phase=Phase(name=name, start=start, end=end, judged=name != "warmup"),
            requests=12 * (end - start),
            experiment="One engine dies" if name == "fault" else "",
            strikes=struck if name == "fault" else (),
        )
        for name, (start, end) in starts.items()
    )
    kept = {
        "scenario": "engine-kill",
        "title": "One of three engines dies under chat load",
        "seconds": 75.0,
        "takes": 80.5,
        "may_end_early": False,
        "trials": 1,
        "requests": 900,
        "phases": phases,
        "needs": Needs(roles=("engine",), root=tuple(one.fault for one in struck if one.needs)),
        "forecasts": (CALM, BROKEN, FAST, SEEN),
        "joint": tuple(Joint(times=t, least=low, most=high) for t, (low, high) in zip(TIMES, JOINT, strict=True)),
        "problems": (),
    }
    return Plan(**{**kept, **changes})


def test_a_plan_as_it_is_printed(golden):
    golden(GOLDEN / "plan.txt", plan_text(a_plan(), 80) + "\n")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    lines = plan_text(a_plan(KILL, replace(KILL, fault="netem", needs=("root",))), width).splitlines()
    # At 60 columns heads and names of expectations are as long as they are.
    assert max(len(line) for line in lines if width > 60 or "takes" in line or "requests expected" in line) <= width


def test_a_fault_is_told_with_role_and_count_and_its_phase():
    plan = a_plan(replace(KILL, count=2), replace(KILL, role="gateway"))
    told = "One engine dies: kill 2 of role engine; kill 1 of role gateway"
    wide, narrow = plan_text(plan, 120).splitlines(), plan_text(plan, 80).splitlines()
    assert f"  fault     30s to 50s  240 requests  {told}" in wide
    assert narrow[narrow.index("  fault     30s to 50s  240 requests") + 1] == f"      {told}"


def test_root_is_asked_for_by_the_fault_that_needs_it():
    rooted = replace(KILL, fault="netem", needs=("root",))
    assert "role engine on the platform's allow-list; root for netem" in plan_text(a_plan(KILL, rooted))
    assert "role engine on the platform's allow-list; no root" in plan_text(a_plan())


def test_a_fault_that_nobody_knows_is_called_so():
    unknown = Strike(fault="melt", role="engine")
    assert "melt 1 of role engine (no such fault)" in plan_text(a_plan(unknown))


def test_what_an_experiment_does_besides_is_not_hidden():
    (*calm, _, last) = a_plan().phases
    other = replace(a_plan().phases[2], strikes=(), others=("delete the pod",))
    assert "One engine dies: also delete the pod, which is no fault known here" in plan_text(
        a_plan(phases=(*calm, other, last))
    )
    nothing = replace(other, others=())
    assert "One engine dies: strikes nothing" in plan_text(a_plan(phases=(*calm, nothing, last)))


def test_without_a_request_nothing_passes_not_even_what_is_exact():
    plan = make_plan(a_scenario(), lambda _: [])
    assert "recovery:gateway/availability: cannot pass without a request" in plan_text(plan)
    assert len(plan.hopeless) == len(plan.problems) == len(plan.forecasts)


def test_an_expectation_says_what_it_costs_and_whether_that_is_there():
    short = replace(CALM, expects=240, most_bad=-1, seconds=20.0)
    hard = replace(CALM, expects=330, most_bad=-1, seconds=27.5)
    idle = replace(CALM, expects=0, needs_seconds=None, most_bad=-1)
    text = plan_text(a_plan(forecasts=(short, hard, idle)))
    assert "240 requests expected, 299 clean ones needed; cannot pass" in text
    assert "330 requests expected, 299 clean ones needed; hardly enough to pass" in text
    # 299 / 12 = 24.9 s
    assert "limit 1% bad; its phases last 20s, 25s are needed at 12/s" in text
    assert "its phases last 45s and offer no request" in text


def test_what_an_expectation_notes_of_itself_stands_beside_its_numbers():
    text = plan_text(a_plan(forecasts=(replace(CALM, note="240 requests against 300"),)))
    assert "passes with at most 1 bad\n      240 requests against 300\n      its phases last" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0%"), (1e-9, "<1%"), (0.0049, "<1%"), (0.5, "50%"), (0.9949, "99%"), (0.9951, ">99%"), (1.0, "100%")],
)
def test_a_chance_that_is_nearly_sure_does_not_read_as_certain(value, text):
    assert chance(value) == text


def test_bounds_of_the_joint_chance_are_rounded_away_from_each_other():
    plan = replace(a_plan(), joint=(Joint(times=0.0, least=0.879, most=0.9912),))
    rows = [line.split() for line in plan_text(plan).splitlines() if " together, at " in line]
    assert [(row[-2], row[-1]) for row in rows] == [("least", "87%"), ("most", "100%")]


def test_one_counted_expectation_needs_no_row_for_all():
    assert "together, at" not in plan_text(a_plan(forecasts=(CALM, SEEN)))


def test_where_nothing_is_counted_no_chance_is_claimed():
    assert "chance of PASS" not in plan_text(a_plan(forecasts=(SEEN,), joint=()))


def test_a_long_name_stands_on_a_line_of_its_own():
    name = "slo:gateway/availability[a-name-that-nobody-would-like-to-type-twice,recovery]"
    lines = plan_text(a_plan(forecasts=(replace(CALM, expectation=name), BROKEN)), 80).splitlines()
    at = lines.index(f"  {name}")
    assert len(lines[at]) + 5 * 6 > 80
    assert lines[at + 1].split() == ["100%", "90%", "25%", "3%", "<1%"]
    assert len(lines[at + 1]) == 80


def test_several_plans_are_added_up_with_every_trial():
    text = plans_text([a_plan(), a_plan(trials=3)])
    # 80.5 s and three times 80.5 s; 900 requests and three times 900.
    assert text.endswith("\n\nall 2 scenarios: about 5m22s, 3600 requests")
    assert "3 trials, takes about 4m2s with lead and settling" in text
    assert "all 1" not in plans_text([a_plan()])


def test_a_run_that_may_end_early_takes_that_long_at_most():
    assert "takes at most about 1m21s" in plan_text(a_plan(may_end_early=True))


def test_what_cannot_be_decided_is_said_with_line_caret_and_hint(tmp_path):
    path = write_project(tmp_path, scenario=("objective: 90%", "objective: 99.99%"))
    plan = app.plan(path, app.Workplace(root=tmp_path, state=tmp_path, runs=tmp_path))
    text = plan_text(plan, 80)
    assert "29956 clean ones needed; cannot pass" in text
    problem = plan.problems[-1]
    assert text.endswith(str(problem))
    assert "\n\ncannot be decided; `holdfast run` and `holdfast gate` refuse it\n\n" in text
    assert "^^^" in text
    assert "hint: for: " in text
