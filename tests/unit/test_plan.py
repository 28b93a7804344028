"""The plan says before the run what it offers, what it strikes and what it can prove."""

from __future__ import annotations

from holdfast.plan import make_plan
from holdfast.testing import a_scenario, a_timeline, an_experiment, some_phases

DUES = a_timeline().load.requests["due"].tolist()


def test_requests_are_counted_per_phase():
    plan = make_plan(a_scenario(), DUES)
    # 10, 20, 20 and 25 s at 12/s
    assert [one.requests for one in plan.phases] == [120, 240, 240, 300]
    assert (plan.requests, plan.seconds) == (900, 75.0)


def test_each_fault_is_named_with_the_roles_it_may_strike():
    experiments = {"engine-kill": an_experiment(roles=("engine", "gateway"))}
    plan = make_plan(a_scenario(experiments=experiments), DUES)
    assert [(one.experiment, one.strikes) for one in plan.phases if one.experiment] == [
        ("engine-kill", ("engine", "gateway"))
    ]


def test_what_cannot_pass_even_without_a_bad_request_is_hopeless():
    plan = make_plan(a_scenario(), DUES)
    assert plan.hopeless == ()
    # 299 clean requests prove 99 %, 59 prove 95 %; 30 prove neither.
    short = make_plan(a_scenario(), DUES[:30])
    assert [one.expectation for one in short.hopeless] == [
        "slo:gateway/availability[baseline,recovery]",
        "slo:gateway/availability[fault]",
        "slo:gateway/ttft[baseline,recovery]",
    ]


def test_what_is_not_proved_by_numbers_says_so():
    notes = {one.expectation: one.note for one in make_plan(a_scenario(), DUES).forecasts if not one.needs}
    assert set(notes) == {"recovery:gateway/availability", "alert:EngineDown"}
    assert set(notes.values()) == {"exact, decided by what is seen"}


def test_a_scenario_without_faults_strikes_nothing():
    plan = make_plan(a_scenario(chaos=None, phases=some_phases(chaos=None)), DUES)
    assert all(one.strikes == () for one in plan.phases)
