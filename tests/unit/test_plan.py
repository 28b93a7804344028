"""The plan says before the run what it costs, what it strikes and needs, what it can prove, and what it never could."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

import pytest
import yaml

from examples import ROOT, quickstart, write_project
from holdfast import app
from holdfast.expect.alert import AlertSilent
from holdfast.expect.budget import SpendsAtMost
from holdfast.expect.invariant import InvariantHolds
from holdfast.expect.latency import FasterThan
from holdfast.expect.recovery import RecoversWithin
from holdfast.expect.slo import SloHolds
from holdfast.model.load import schedule
from holdfast.model.scenario import Experiment
from holdfast.plan import LEAD, SETTLE, TIMES, Strike, make_plan
from holdfast.run import Stop
from holdfast.testing import a_place, a_profile, a_scenario, a_timeline, an_slo, some_phases
from holdfast.undecidable import UndecidableError
from holdfast.units import duration

DUES = a_timeline().load.requests["due"].tolist()


def offered(profile, seed=7):
    """What the load generator would send in so many seconds."""
    return lambda length: [one.due for one in schedule(profile, seed=seed, length=length)]


def only(count):
    """A trace that ends after so many requests."""
    return lambda length: [due for due in DUES[:count] if due < length]


def availability(*during, objective=0.99):
    return SloHolds(slo=an_slo(), during=during, objective=objective, where=a_place(14))


CALM = availability("baseline")
UNDER_FAULT = availability("fault", objective=0.9)
AFTER = availability("recovery", objective=0.9)
RECOVERY = RecoversWithin(slo=an_slo(), within=15.0, where=a_place(17))
BUDGET = SpendsAtMost(slo=an_slo(), spend=0.01, where=a_place(18))
INVARIANT = InvariantHolds(invariant="answers-complete", where=a_place(19))
FAST = FasterThan(sli="ttft", under=0.3, share=0.95, during=("baseline", "recovery"), where=a_place(16))
STORY = (availability("baseline", "recovery"), availability("fault", objective=0.95), FAST, RECOVERY, INVARIANT)


def story(**changes):
    """The default story, of which 99 % before and after, 95 % in the fault and 95 % quick answers are expected."""
    return a_scenario(**{"expect": STORY, **changes})


def planned(scenario, needs_of=lambda _: ()):
    return make_plan(scenario, offered(scenario.load, scenario.seed), needs_of)


# what it costs


def test_requests_are_counted_per_phase():
    plan = planned(story())
    # 10, 20, 20 and 25 s at 12/s
    assert [one.requests for one in plan.phases] == [120, 240, 240, 300]
    assert (plan.requests, plan.seconds) == (900, 75.0)


def test_a_run_takes_longer_than_its_phases_by_lead_and_settling():
    assert planned(story()).takes == LEAD + 75 + SETTLE
    assert [planned(story(stop=stop)).may_end_early for stop in ("end", "early")] == [False, True]


def test_each_expectation_knows_how_long_its_own_phases_should_be():
    first = planned(story()).forecasts[0]
    # 299 clean requests prove 99 %; baseline and recovery offer 540 in 45 s: 299 / 12 = 24.9 s
    assert (first.needs, first.expects, first.seconds) == (299, 540, 45.0)
    assert first.needs_seconds == pytest.approx(299 / 12)


def test_the_rate_is_that_of_its_own_phases_and_not_of_the_run():
    # All requests but 30 come in the 10 s of warmup: 30 in 20 s are 1.5/s, and 299 take 199.3 s.
    crowd = [*(i / 100 for i in range(1000)), *(10 + i / 1.5 for i in range(30))]
    scenario = a_scenario(expect=(availability("baseline"),))
    (told,) = make_plan(scenario, lambda length: [due for due in crowd if due < length]).forecasts
    assert (told.expects, told.seconds) == (30, 20.0)
    assert told.needs_seconds == pytest.approx(299 * 20 / 30)


def test_without_a_request_nobody_knows_how_long_it_would_take():
    (told,) = make_plan(a_scenario(expect=(availability("baseline"),)), lambda _: []).forecasts
    assert (told.expects, told.needs_seconds) == (0, None)


def test_a_phase_named_twice_lasts_once():
    (told,) = planned(a_scenario(expect=(availability("baseline", "baseline"),))).forecasts
    assert told.seconds == 20.0


# what it can prove


def test_power_is_the_chance_of_a_pass_by_multiples_of_the_limit():
    first = planned(story(rate=40.0)).forecasts[0]
    assert first.limit == 0.01
    assert first.power == {times: first.chances[0.01 * times] for times in TIMES}
    assert first.power[0.0] == 1.0 > first.power[1.0] > first.power[2.0] > 0.0


def test_a_truth_that_cannot_be_is_never_proved():
    # Twice a limit of 60 % is no share.
    (told,) = planned(a_scenario(expect=(availability("baseline", objective=0.4),))).forecasts
    assert told.power[2.0] == 0.0


def test_the_joint_chance_is_bounded_whatever_depends_on_what():
    plan = planned(story())
    for joint in plan.joint:
        chances = [one.power[joint.times] for one in plan.counted]
        assert len(chances) == 3
        assert joint.least == max(0.0, 1 - sum(1 - one for one in chances))
        assert joint.most == min(chances)
    assert [one.times for one in plan.joint] == list(TIMES)


@pytest.mark.parametrize("times", TIMES)
def test_two_expectations_that_are_one_pass_together_as_often_as_each(times):
    # The same question twice: the truth is p, the product would say p * p, and the bounds hold both.
    plan = planned(a_scenario(expect=(availability("baseline", "recovery"),) * 2))
    (joint,) = (one for one in plan.joint if one.times == times)
    p = plan.forecasts[0].power[times]
    assert joint.least <= p * p <= p == joint.most


def test_with_one_counted_expectation_both_bounds_are_its_chance():
    plan = planned(a_scenario(expect=(availability("baseline", "recovery"),)))
    assert [(one.least, one.most) for one in plan.joint] == [
        pytest.approx((chance, chance)) for chance in plan.forecasts[0].power.values()
    ]


def test_where_nothing_is_counted_there_is_no_joint_chance():
    # Surely all of none pass, which would say 100 %.
    assert planned(a_scenario(expect=(INVARIANT,))).joint == ()


def test_what_is_not_proved_by_numbers_says_so():
    notes = {one.expectation: one.note for one in planned(story()).forecasts if not one.needs}
    assert set(notes) == {"recovery:gateway/availability", "invariant:answers-complete"}
    assert set(notes.values()) == {"exact, decided by what is seen"}


# what it strikes and needs


def an_action(func="strike", module="holdfast.chaos.activities", **arguments):
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": "action", "name": f"{func} it", "provider": provider}


def struck(*method, needs_of=lambda _: ()):
    """The plan of a scenario whose experiment does this."""
    document = {"title": "an experiment", "description": "of a test", "method": list(method)}
    one = Experiment(name="x", title="an experiment", document=document, roles=(), where=a_place(1))
    return planned(story(experiments={"engine-kill": one}), needs_of)


def test_each_fault_is_named_with_role_and_count():
    plan = struck(an_action(fault="kill", role="engine", count=2), an_action(fault="kill", role="gateway"))
    found = {one.phase.name: (one.experiment, one.strikes) for one in plan.phases}
    two_engines = Strike(fault="kill", role="engine", count=2, needs=())
    one_gateway = Strike(fault="kill", role="gateway", count=1, needs=())
    assert found.pop("fault") == ("an experiment", (two_engines, one_gateway))
    assert set(found.values()) == {("", ())}
    assert plan.needs.roles == ("engine", "gateway")


def test_an_action_that_is_no_fault_of_ours_is_not_hidden():
    plan = struck(an_action("delete_pods", "chaosk8s.pod.actions", name="x"), {"type": "probe", "name": "look"})
    assert [one.others for one in plan.phases if one.experiment] == [("delete_pods it",)]
    assert plan.needs.roles == ()


@pytest.mark.parametrize("broken", [{"type": "action"}, {"type": "action", "provider": "x"}, "kill", 5])
def test_a_method_that_the_toolkit_would_refuse_does_not_break_the_plan(broken):
    assert [one.strikes for one in struck(broken).phases if one.experiment] == [()]


def test_a_fault_that_needs_root_is_among_the_needs():
    method = (an_action(fault="kill", role="engine"), an_action(fault="netem", role="engine"))
    plan = struck(*method, needs_of=lambda fault: {"kill": (), "netem": ("root", "tc")}[fault])
    assert (plan.needs.root, plan.needs.programs, plan.needs.roles) == (("netem",), ("tc",), ("engine",))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, {"count": 1}),
        ({"percent": 50}, {"count": None, "percent": 50}),
        ({"names": ["engine-1"]}, {"count": None, "names": ("engine-1",)}),
        ({"count": 2, "options": {"delay": 5}}, {"count": 2, "options": {"delay": 5}}),
    ],
)
def test_a_strike_is_told_with_what_bounds_it_and_its_options(given, said):
    plan = struck(an_action(fault="kill", role="engine", **given))
    (found,) = (one.strikes for one in plan.phases if one.experiment)
    assert found == (Strike(**{"fault": "kill", "role": "engine", "needs": (), **said}),)


def test_a_phase_says_for_how_long_its_fault_is_held():
    plan = struck(an_action(fault="kill", role="engine"), an_action("hold", seconds=12), an_action("hold", seconds=3))
    assert [one.held for one in plan.phases if one.experiment] == [15.0]
    assert [one.others for one in plan.phases if one.experiment] == [()]


def test_every_run_reaches_the_gateway_with_a_key_prometheus_and_the_alerts():
    needs = planned(a_scenario(expect=(availability("baseline"),))).needs
    assert (needs.endpoints, needs.api_key) == (("gateway", "prometheus", "alerts"), True)


def test_a_scenario_without_faults_strikes_nothing():
    plan = planned(story(chaos=None, phases=some_phases(chaos=None)))
    assert all(one.strikes == () for one in plan.phases)
    assert (plan.needs.roles, plan.needs.root) == ((), ())


# what it never could


def test_what_cannot_pass_even_without_a_bad_request_is_hopeless():
    assert planned(story()).problems == ()
    # 299 clean requests prove 99 %, 59 prove 95 %. 180 requests leave 60 for baseline, none for fault and recovery.
    short = make_plan(story(), only(180))
    assert [one.expectation for one in short.hopeless] == [
        "slo:gateway/availability[baseline,recovery]",
        "slo:gateway/availability[fault]",
    ]
    assert [one.what for one in short.problems] == [
        "slo:gateway/availability[baseline,recovery] cannot pass: 60 requests expected, 299 clean ones needed",
        "slo:gateway/availability[fault] cannot pass: 0 requests expected, 59 clean ones needed",
    ]


def hint_of(scenario, arrivals=None):
    (problem,) = make_plan(scenario, arrivals or offered(scenario.load)).problems
    return problem.hint


def test_the_hint_is_the_smallest_change_that_helps():
    # 240 requests in 20 s. 299 / 12 = 24.9 s. 1 - 0.05 ** (1 / 240) = 1.24 %, which is 1.3 % in two digits.
    scenario = a_scenario(expect=(availability("baseline"), availability("fault", "recovery", objective=0.98)))
    assert hint_of(scenario) == "for: 25s in phase baseline (now 20s), or objective: 98.7%"


@pytest.mark.parametrize("process", ["constant", "poisson"])
@pytest.mark.parametrize("objective", [0.99, 0.999])
def test_whoever_follows_the_hint_can_pass(process, objective):
    scenario = a_scenario(expect=(availability("baseline", "fault", "recovery", objective=objective),), rate=3.0)
    scenario = replace(scenario, load=replace(scenario.load, arrivals=process))
    longer, lower = hint_of(scenario).split(", or ")
    seconds = duration(longer.split()[1])  # "for: 2m5s in phase recovery (now 25s)"
    *before, last = scenario.phases
    grown = replace(scenario, phases=(*before, replace(last, end=last.start + seconds)))
    assert planned(grown).problems == ()
    shorter = replace(scenario, phases=(*before, replace(last, end=last.start + seconds - 1)))
    assert planned(shorter).hopeless
    eased = float(lower.removeprefix("objective: ").removesuffix("%")) / 100
    (one,) = scenario.expect
    assert planned(replace(scenario, expect=(replace(one, objective=eased),))).problems == ()


class Patient(SloHolds):
    """A kind that cannot pass in less than 30 s, however many requests there are."""

    def forecast(self, scenario, arrivals):
        told = SloHolds.forecast(self, scenario, arrivals)
        return told if scenario.phase("baseline").length >= 30 else replace(told, needs=told.expects + 1)


def test_the_hint_is_tried_for_what_needs_more_than_a_number():
    patient = Patient(slo=an_slo(), during=("baseline",), objective=0.9, where=a_place(14))
    scenario = a_scenario(expect=(patient, availability("fault", "recovery", objective=0.98)))
    assert hint_of(scenario) == "for: 30s in phase baseline (now 20s)"


def test_a_latency_is_eased_by_its_own_key():
    slow = FasterThan(sli="ttft", under=0.3, share=0.99, during=("baseline",), where=a_place(15))
    assert hint_of(a_scenario(expect=(slow, availability("fault", "recovery")))).endswith("or at-least: 98.7%")


def test_a_stricter_scenario_has_a_stricter_hint():
    # 240 requests at alpha 1 %: 1 - 0.01 ** (1 / 240) = 1.901 %, so 2 %; 459 clean ones take 38.25 s.
    scenario = a_scenario(expect=(availability("baseline"), availability("fault", "recovery", objective=0.9)))
    assert hint_of(replace(scenario, alpha=0.01)) == "for: 39s in phase baseline (now 20s), or objective: 98%"


def test_a_kind_that_names_no_limit_still_costs_but_has_no_chance():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Counted(InvariantHolds):
        def forecast(self, scenario, arrivals):
            return replace(InvariantHolds.forecast(self, scenario, arrivals), needs=5, chances={0.0: 1.0})

    plan = planned(a_scenario(expect=(Counted(invariant="answers-complete", where=a_place()),)))
    assert (plan.counted, plan.joint, plan.forecasts[0].needs) == ((), (), 5)


def test_a_trace_that_ends_offers_no_longer_phase():
    # 120 requests of warmup, 60 of baseline: 1 - 0.05 ** (1 / 60) = 4.87 %.
    scenario = a_scenario(expect=(availability("baseline"),), chaos=None, phases=some_phases(chaos=None)[:2])
    assert hint_of(scenario, only(180)) == "objective: 95.1%"


def test_without_any_request_the_rate_is_to_blame():
    scenario = a_scenario(expect=(availability("baseline", "fault", "recovery"),))
    assert hint_of(scenario, lambda _: []) == "offer more requests: raise the rate"


def test_an_objective_that_says_nothing_is_no_hint():
    # Two requests prove 1 - 0.05 ** (1 / 2) = 78 % bad at most.
    scenario = a_scenario(expect=(availability("baseline"),), chaos=None, phases=some_phases(chaos=None)[:2])
    assert hint_of(scenario, only(122)) == "offer more requests: raise the rate"


def silent(*during):
    return AlertSilent(alert="GatewayAvailability", during=during, where=a_place())


@pytest.mark.parametrize(
    ("expect", "idle"),
    [
        ((CALM, UNDER_FAULT, AFTER), []),
        ((CALM, UNDER_FAULT), ["recovery"]),
        ((CALM,), ["fault", "recovery"]),
        # From the fault on, a recovery looks at everything.
        ((CALM, RECOVERY), []),
        ((UNDER_FAULT, RECOVERY), ["baseline"]),
        ((RECOVERY,), ["baseline"]),
        # They count what is not judged too, so they need no judged phase beside those that others name ...
        ((CALM, BUDGET, INVARIANT), ["fault", "recovery"]),
        # ... but when nothing else is asked, the whole run is what they look at.
        ((BUDGET, INVARIANT), []),
        # An alert that stays silent is listened for in the phases it names, or in all of them.
        ((silent("baseline"), UNDER_FAULT), ["recovery"]),
        ((silent(), UNDER_FAULT), []),
    ],
)
def test_a_judged_phase_that_no_expectation_looks_at_decides_nothing(expect, idle):
    scenario = a_scenario(expect=expect, rate=20.0)
    found = [one.what.split("'")[1] for one in planned(scenario).problems]
    assert found == idle


def test_a_phase_that_is_not_judged_need_decide_nothing():
    assert planned(a_scenario(expect=(CALM, UNDER_FAULT, AFTER), rate=20.0)).phases[0].phase.name == "warmup"
    assert "warmup" not in str(planned(a_scenario(expect=(CALM,), rate=20.0)).problems)


# a project on disk


def place(root):
    return app.Workplace(root=root, state=root / "state", runs=root / "runs")


def test_the_committed_quickstart_can_be_decided_and_names_its_fault():
    plan = app.plan(ROOT / "scenarios" / "quickstart.yaml", place(ROOT))
    assert plan.problems == ()
    strikes = [strike for one in plan.phases for strike in one.strikes]
    document = yaml.safe_load((ROOT / "chaos" / "engine-kill.yaml").read_text())
    asked = document["method"][0]["provider"]["arguments"]
    assert [(one.fault, one.role, one.count) for one in strikes] == [(asked["fault"], asked["role"], asked["count"])]
    assert strikes[0].needs == ()


def test_a_fault_that_nobody_knows_is_marked(tmp_path):
    path = write_project(tmp_path, chaos=("fault: kill", "fault: melt"))
    assert [one.needs for phase in app.plan(path, place(tmp_path)).phases for one in phase.strikes] == [None]


def test_a_problem_stands_at_its_line_with_a_caret(tmp_path):
    path = write_project(tmp_path, scenario=("objective: 90%", "objective: 99.99%"))
    (problem,) = app.plan(path, place(tmp_path)).problems
    lines = path.read_text().splitlines()
    assert "objective: 99.99%" in lines[problem.where.line - 1]
    assert problem.source == lines[problem.where.line - 1]
    assert (problem.where.file, problem.width) == ("scenarios/quickstart.yaml", len(problem.source.strip("- ")))
    assert "^" * 20 in str(problem)


def test_an_idle_phase_is_named_at_its_line(tmp_path):
    path = write_project(tmp_path, scenario=("  - {name: fault,", "  - {name: soak, for: 9s}\n  - {name: fault,"))
    (problem,) = app.plan(path, place(tmp_path)).problems
    assert problem.source == "  - {name: soak, for: 9s}"
    assert (problem.where.column, problem.width) == (problem.source.index("soak") + 1, len("soak"))
    assert problem.hint == "write judged: false, or name it in a during: [soak]"


def test_the_whole_plan_is_json():
    told = json.loads(json.dumps(asdict(planned(replace(quickstart(), load=a_profile(rate=40.0)))), allow_nan=False))
    assert told["forecasts"][0]["power"]["0.0"] == 1.0
    assert told["joint"][0]["least"] == 1.0
    assert told["phases"][2]["strikes"] == [
        {"fault": "kill", "role": "engine", "count": 1, "percent": None, "names": [], "options": {}, "needs": []}
    ]
    assert told["needs"]["roles"] == ["engine"]
    assert told["problems"] == []


def test_a_run_that_cannot_be_decided_is_refused_before_anything_is_touched(tmp_path):
    path = write_project(tmp_path, scenario=("objective: 90%", "objective: 99.99%"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UndecidableError) as refused:
        app.run(path, place(tmp_path), watch=lambda _: None, stop=Stop())
    assert refused.value.exit_code == 2
    assert str(app.plan(path, place(tmp_path)).problems[0]) in str(refused.value)
    assert "--undecided-ok" in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before
