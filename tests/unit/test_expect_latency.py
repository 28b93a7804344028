"""`latency`: a share of requests under a bound, counted by clients, never a quantile."""

from __future__ import annotations

import pytest

from examples import write_project
from holdfast.errors import SpecError
from holdfast.expect.latency import FasterThan
from holdfast.judge import judge
from holdfast.model.verdict import State
from holdfast.project import load_scenario
from holdfast.testing import a_place, a_scenario, a_timeline
from holdfast.trust import lateness_limit


def judged(share=0.95, under=0.3, **story):
    expectation = FasterThan(sli="ttft", under=under, share=share, during=("baseline", "recovery"), where=a_place())
    return expectation.judge(a_timeline(**story))


def test_enough_fast_requests_pass():
    # 540 requests, none slow: 1 - 0.05^(1/540) = 0.55 % <= 5 %
    verdict = judged()
    assert (verdict.id, verdict.state) == ("latency:ttft<300ms[baseline,recovery]", State.PASS)
    assert verdict.evidence.other == {"witness": "clients only"}


def test_too_many_slow_requests_fail():
    # 60 of 540 first tokens after 1.5 s: 11 %, L = 9 % > 5 %
    assert judged(slow={"recovery": 60}).state is State.FAIL


def test_a_share_that_so_few_requests_cannot_prove_is_unknown():
    # 99.9 % needs 2,995 requests, all fast; there are 540
    assert judged(share=0.999).state is State.UNKNOWN


def test_a_request_that_failed_before_its_first_token_is_slow_whatever_the_bound():
    # 30 of 540 were refused: infinite latency
    assert judged(under=1000.0, bad={"recovery": 30}, outcome="connect").evidence.bad == 30


def test_no_request_at_all_is_unknown():
    assert judged(edit=lambda rows: rows.iloc[:0]).state is State.UNKNOWN


def test_without_an_slo_there_is_no_second_witness_and_nothing_is_known():
    alone = FasterThan(sli="ttft", under=0.3, share=0.95, during=("baseline",), where=a_place())
    report = judge(a_timeline(scenario=a_scenario(expect=(alone,))))
    assert {check.name: check.state for check in report.checks}["witnesses agree"] is State.UNKNOWN
    assert report.state is State.UNKNOWN


def test_its_bound_limits_how_late_the_client_may_be():
    # a tenth of the tightest bound: 300 ms / 10
    assert lateness_limit([None, 0.5, 0.3]) == 0.03


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("{latency: ttft, under: 300ms, at-least: 100%, during: [baseline]}", "100% can never be proved"),
        ("{latency: ttft, under: 300ms, at-least: 0%, during: [baseline]}", "0% always holds"),
        ("{latency: ttft, under: 0s, at-least: 95%, during: [baseline]}", "nothing is faster than 0s"),
        ("{latency: tpot, under: 300ms, at-least: 95%, during: [baseline]}", "ttft"),
        ("{latency: ttft, under: 300, at-least: 95%, during: [baseline]}", "without a unit"),
        ("{latency: ttft, under: 300ms, at-least: 95%, during: [lunch]}", "no phase named 'lunch'"),
        ("{latency: ttft, under: 300ms, during: [baseline]}", "required key 'at-least' is missing"),
    ],
)
def test_what_cannot_be_asked_is_told(tmp_path, item, told):
    path = write_project(tmp_path, scenario=("expect:\n", f"expect:\n  - {item}\n"))
    with pytest.raises(SpecError, match=told):
        load_scenario(path, tmp_path)
