"""When a budget stops changes: by a rule that somebody wrote down, and never by silence turned into green."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_worlds import sample
from holdfast.errors import UsageError
from holdfast.freeze import Policy, Seen, policy_of, seen_in, weigh
from holdfast.gate import decide, freeze_text
from holdfast.model.verdict import State
from holdfast.objectives.freeze import ask, freeze_of
from holdfast.report.budget import to_dict
from holdfast.settings import Settings, read
from holdfast.testing import a_ttft_slo, an_slo

BOTH = Policy(burn_rate=10, left=0.1)
HOUR = 3600.0


def seen(burn=1.0, least=0.5, most=None):
    return Seen(slo="gateway/availability", burn=burn, least=least, most=least if most is None else most)


def state(*found, policy=BOTH):
    return weigh(policy, found, "a test").state


def test_a_calm_budget_freezes_nothing():
    assert state(seen()) is State.PASS


@pytest.mark.parametrize("found", [seen(burn=10), seen(burn=14.4), seen(least=0.1), seen(least=-2.0)])
def test_a_fast_burn_or_a_budget_that_is_gone_freezes(found):
    assert state(found) is State.FAIL


@pytest.mark.parametrize(
    "found", [seen(burn=None), seen(burn=math.nan), seen(least=None), seen(least=math.nan), seen(least=0.05, most=0.4)]
)
def test_what_cannot_be_read_is_unknown_and_never_green(found):
    assert state(found) is State.UNKNOWN


def test_one_slo_freezes_for_all_and_none_at_all_is_no_answer():
    assert state(seen(), seen(burn=20), seen(burn=None)) is State.FAIL
    assert state(seen(), seen(burn=None)) is State.UNKNOWN
    assert state() is State.UNKNOWN


def test_only_rules_that_were_written_down_are_asked():
    assert state(seen(burn=None), policy=Policy(left=0.1)) is State.PASS
    assert state(seen(least=None), policy=Policy(burn_rate=10)) is State.PASS


numbers = st.none() | st.floats(-2, 20)


@given(numbers, numbers, numbers)
def test_green_needs_every_number_on_the_right_side(burn, least, most):
    found = Seen(slo="a", burn=burn, least=least, most=most)
    known = None not in (burn, least, most) and burn < 10 and least > 0.1 and most > 0.1
    assert (state(found) is State.PASS) == known


# --- the gate ---

GREEN = type("Answer", (), {"scenario": "a", "run": "r", "state": State.PASS})()


def decided(freeze):
    return decide("prod", "abc", ["a"], [GREEN], freeze)


def test_without_a_policy_a_decision_is_as_it_always_was():
    assert decided(None).state is State.PASS
    assert "freeze" not in decided(None).to_dict()


def test_a_frozen_gate_fails_and_one_that_cannot_tell_is_unknown():
    assert decided(weigh(BOTH, [seen(burn=20)], "x")).state is State.FAIL
    assert decided(weigh(BOTH, [seen(burn=None)], "x")).state is State.UNKNOWN
    assert decided(weigh(BOTH, [seen()], "x")).state is State.PASS


def test_a_fix_passes_over_it_and_the_decision_says_so():
    frozen = weigh(BOTH, [seen(burn=20)], "http://p", despite="rolls back the outage")
    told = decided(frozen).to_dict()
    assert (told["verdict"], told["freeze"]["state"], told["freeze"]["despite"]) == (
        "PASS",
        "FAIL",
        "rolls back the outage",
    )
    assert freeze_text(frozen) == [
        "frozen: gateway/availability: its budget burns 20 times too fast (freeze at 10)",
        "passed over: rolls back the outage",
    ]


def test_a_reason_to_pass_over_a_freeze_proves_nothing_else():
    frozen = weigh(BOTH, [seen(burn=20)], "x", despite="a fix")
    assert decide("prod", "abc", ["a", "b"], [GREEN], frozen).state is State.UNKNOWN


# --- the policy as it is written ---


def test_a_policy_is_read_with_its_units():
    table = {"burn-rate": 10, "budget-left": "10%", "gates": ["prod"], "prometheus": "http://p", "max-age": "2h"}
    assert policy_of(table) == Policy(burn_rate=10, left=0.1, gates=("prod",), prometheus="http://p", max_age=7200)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "has no rule"),
        ({"gates": ["prod"]}, "has no rule"),
        ({"burn-rate": "10"}, "must be a number above 0"),
        ({"burn-rate": True}, "must be a number above 0"),
        ({"burn-rate": math.nan}, "must be a number above 0"),
        ({"burn-rate": math.inf}, "must be a number above 0"),
        ({"burn-rate": 0}, "must be a number above 0"),
        ({"budget-left": 0.1}, "must be text"),
        ({"budget-left": "ten"}, "expected a percentage"),
        ({"burn-rate": 10, "gates": []}, "must be a list of names"),
        ({"burn-rate": 10, "slos": "gateway/ttft"}, "must be a list of names"),
        ({"burn_rate": 10}, "unknown key 'burn_rate'"),
        ({"burn-rate": 10, "review": "r.json"}, "a review knows no current burn rate"),
        ({"budget-left": "5%", "review": "r.json", "prometheus": "http://p"}, "one source of two"),
        ({"budget-left": "5%", "max-age": "long"}, "expected a duration"),
    ],
)
def test_a_policy_with_a_mistake_is_refused(table, said):
    with pytest.raises(UsageError, match=said):
        policy_of(table)


# --- where the state is read ---


def project(folder, policy):
    (folder / "scenarios").mkdir()
    (folder / "slos").mkdir()
    (folder / "slos/gateway.yaml").write_text(SLO, encoding="utf-8")
    (folder / "pyproject.toml").write_text(f"[tool.holdfast]\nruns = 'evidence'\n{policy}", encoding="utf-8")
    return folder


SLO = """\
version: prometheus/v1
service: gateway
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: sum(rate(bad_total[{{.window}}]))
        total_query: sum(rate(all_total[{{.window}}]))
    alerting: {name: A, page_alert: {}, ticket_alert: {}}
"""


def frozen(folder, now=0.0, gate="prod"):
    return freeze_of(folder, folder / "no-state", gate, now)


def test_a_project_without_the_table_has_no_freeze(tmp_path):
    assert frozen(project(tmp_path, "")) is None
    assert read(tmp_path) == Settings(runs="evidence")


def test_the_table_is_no_mistake_to_who_reads_the_other_settings(tmp_path):
    project(tmp_path, "[tool.holdfast.freeze]\nbudget-left = '10%'\n")
    assert read(tmp_path) == Settings(runs="evidence")


def test_a_gate_that_the_policy_does_not_name_is_not_frozen(tmp_path):
    project(
        tmp_path, "[tool.holdfast.freeze]\nbudget-left = '10%'\ngates = ['prod']\nprometheus='http://127.0.0.1:9'\n"
    )
    assert frozen(tmp_path, gate="dev") is None
    assert frozen(tmp_path).state is State.UNKNOWN


def test_without_a_server_to_ask_nothing_is_known(tmp_path):
    project(tmp_path, "[tool.holdfast.freeze]\nbudget-left = '10%'\n")
    told = frozen(tmp_path)
    assert (told.state, told.source) == (State.UNKNOWN, "nothing")
    assert "no platform is up" in told.reasons[0]


def test_an_slo_that_is_not_there_is_a_mistake(tmp_path):
    project(tmp_path, "[tool.holdfast.freeze]\nbudget-left = '10%'\nslos = ['gateway/tfft']\n")
    with pytest.raises(UsageError, match="no such SLO: gateway/tfft"):
        frozen(tmp_path)


def answer(*values):
    return [{"metric": {}, "value": [0, value]} for value in values]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("0.5",), State.PASS),
        (("0.05",), State.FAIL),
        (("0.5", "0.05"), State.FAIL),
        ((), State.UNKNOWN),
        (("NaN",), State.UNKNOWN),
        (("0.5", "NaN"), State.UNKNOWN),
        (("+Inf",), State.UNKNOWN),
    ],
)
def test_of_several_series_the_worst_counts_and_one_that_is_no_number_spoils_all(values, expected):
    policy = Policy(left=0.1)
    found = ask(policy, [an_slo()], lambda promql, at: answer(*values), 0)
    assert weigh(policy, found, "x").state is expected


def test_each_slo_is_asked_for_by_its_own_labels():
    asked = []
    ask(BOTH, [an_slo(), a_ttft_slo()], lambda promql, at: asked.append(promql) or answer("1"), 0)
    names = [one.partition("{")[0] for one in asked]
    assert names == ["slo:current_burn_rate:ratio", "slo:period_error_budget_remaining:ratio"] * 2
    assert 'sloth_id="gateway-ttft"' in asked[2]


def test_a_server_that_raises_is_trouble_and_no_freeze():
    def broken(promql, at):
        raise ConnectionError("refused")

    (found,) = ask(BOTH, [an_slo()], broken, 0)
    assert weigh(BOTH, [found], "x").state is State.UNKNOWN
    assert "refused" in found.trouble


# --- from a review ---


@pytest.fixture(scope="module")
def reviewed():
    return json.loads(json.dumps(to_dict(sample()), allow_nan=False))


def by_review(told, slo, late=0.0, left=0.1):
    policy = Policy(left=left, review="r.json")
    return weigh(policy, seen_in(told, [slo], told["until"] + late, HOUR), "r.json").state


def test_a_review_is_read_by_its_worst_case(reviewed):
    # gateway/availability: 22 % spent for sure, 39 % if nobody saw a good event; usage/freshness is gone.
    assert by_review(reviewed, "gateway/availability") is State.PASS
    assert by_review(reviewed, "gateway/availability", left=0.7) is State.UNKNOWN
    assert by_review(reviewed, "gateway/availability", left=0.8) is State.FAIL
    assert by_review(reviewed, "usage/freshness") is State.FAIL


def test_an_old_review_or_one_from_the_future_tells_nothing(reviewed):
    assert by_review(reviewed, "gateway/availability", late=HOUR) is State.PASS
    assert by_review(reviewed, "gateway/availability", late=HOUR + 1) is State.UNKNOWN
    assert by_review(reviewed, "usage/freshness", late=HOUR + 1) is State.UNKNOWN
    assert by_review(reviewed, "gateway/availability", late=-1) is State.UNKNOWN


def test_an_slo_that_the_review_does_not_know_is_unknown(reviewed):
    assert by_review(reviewed, "gateway/other") is State.UNKNOWN


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "holdfast/budget/v1"}', "not JSON"])
def test_a_file_that_is_no_review_is_unknown(tmp_path, text):
    project(tmp_path, "[tool.holdfast.freeze]\nbudget-left = '10%'\nreview = 'r.json'\n")
    assert frozen(tmp_path).state is State.UNKNOWN
    (tmp_path / "r.json").write_text(text, encoding="utf-8")
    assert frozen(tmp_path).state is State.UNKNOWN


def test_a_fresh_review_on_disk_frees_or_freezes(tmp_path, reviewed):
    project(tmp_path, "[tool.holdfast.freeze]\nbudget-left = '10%'\nreview = 'r.json'\n")
    (tmp_path / "r.json").write_text(json.dumps(reviewed), encoding="utf-8")
    assert frozen(tmp_path, now=reviewed["until"] + HOUR).state is State.PASS
