"""`slo`: PASS when the upper bound is within the limit, FAIL when the lower bound is beyond it, else UNKNOWN."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from holdfast.expect.slo import SloHolds
from holdfast.model.timeline import Counted, Metrics
from holdfast.model.verdict import State
from holdfast.testing import a_place, a_scenario, a_timeline, a_ttft_slo, an_slo

CALM = ("baseline", "recovery")


def judged(slo=None, during=CALM, objective=None, **story):
    slo = slo or an_slo()
    return SloHolds(slo=slo, during=during, objective=objective or slo.objective, where=a_place()).judge(
        a_timeline(**story)
    )


EVEN = {"edit": lambda rows: rows.assign(first=rows["due"] + 0.1)}
"""All equally slow, so that nothing hints at company."""


def test_enough_good_requests_pass():
    # baseline 20 s x 12/s + recovery 25 s x 12/s = 540; 0 bad: 1 - 0.05^(1/540) = 0.55 % <= 1 %
    verdict = judged(**EVEN)
    assert (verdict.state, verdict.evidence.n, verdict.evidence.bad) == (State.PASS, 540, 0)
    assert verdict.evidence.high == pytest.approx(1 - 0.05 ** (1 / 540))
    assert verdict.sentence == "0 of 540 requests were bad (0%); 1% may be, and at most 0.553% truly are."


def test_a_bad_one_in_each_phase_of_540_is_too_few_to_decide():
    # U(2, 540) = 1.16 % > 1 %, L(2, 540) = 0.07 % <= 1 %; 628 requests carry two bad ones: 88 more
    verdict = judged(bad={"baseline": 1, "recovery": 1}, **EVEN)
    assert (verdict.state, verdict.evidence.n_eff) == (State.UNKNOWN, 540)
    assert verdict.evidence.more == 628 - 540
    assert verdict.sentence.endswith("Too few to decide: 88 more good requests would prove it.")


def test_two_that_fail_together_tell_as_much_as_one():
    # Two in the same second: n_eff = 540 / 2 = 270 with 1 bad, and 473 carry one: (473 - 270) * 2 = 406 more, or
    # 408, for 45 blocks make a little more of it than 2.
    verdict = judged(bad={"baseline": 2}, **EVEN)
    assert verdict.evidence.n_eff == pytest.approx(270, abs=2)
    assert (verdict.state, verdict.evidence.more) == (State.UNKNOWN, 408)
    assert verdict.sentence.endswith("slow or bad together: 540 tell as much as 269 independent ones.")


def test_requests_that_are_slow_together_prove_less_although_none_is_bad():
    # Every tenth second all twelve are slow, none too slow: one second tells as much as one request, 540 / 12 = 45.
    def waves(rows):
        return rows.assign(first=rows["due"] + np.where(rows["due"].astype(int) % 10 == 0, 0.2, 0.1))

    verdict = judged(edit=waves)
    assert (verdict.state, verdict.evidence.bad) == (State.UNKNOWN, 0)
    assert verdict.evidence.n_eff == pytest.approx(45, abs=3)


def test_in_fewer_than_twenty_seconds_each_second_counts_as_one_request():
    # 10 s x 12/s: 120 good ones count as 10, U = 26 %; 120 bad ones are 120 bad ones.
    short = {"lengths": {"baseline": 10.0}, "chaos": None, "expect": ()}
    good = judged(during=("baseline",), objective=0.9, scenario=a_scenario(**short), **EVEN)
    assert (good.state, good.evidence.n_eff) == (State.UNKNOWN, 10)
    bad = judged(during=("baseline",), objective=0.9, scenario=a_scenario(**short), bad={"baseline": 120})
    assert bad.state is State.FAIL


def test_many_bad_requests_fail():
    # 20 of 540 = 3.7 %; L(20, 540) = 2.5 % > 1 %
    verdict = judged(bad={"recovery": 20})
    assert (verdict.state, verdict.evidence.bad) == (State.FAIL, 20)
    assert verdict.evidence.low > verdict.evidence.limit


def test_a_good_run_that_is_too_short_is_unknown():
    # 20 s x 12/s = 240 < 299
    verdict = judged(during=("baseline",), **EVEN)
    assert (verdict.state, verdict.evidence.more) == (State.UNKNOWN, 59)


def test_no_request_at_all_is_unknown():
    verdict = judged(edit=lambda rows: rows.iloc[:0])
    assert (verdict.state, verdict.evidence.n, verdict.evidence.estimate) == (State.UNKNOWN, 0, None)
    assert verdict.sentence == "No request was seen, so nothing is known about gateway/availability."


def test_not_even_an_objective_of_nothing_passes_without_a_request():
    expectation = SloHolds(slo=an_slo(), during=CALM, objective=0.0, where=a_place())
    assert expectation.judge(a_timeline(edit=lambda rows: rows.iloc[:0])).state is State.UNKNOWN


def test_requests_that_were_never_sent_do_not_count():
    def drop(rows):
        return rows.assign(outcome=np.where(rows["id"] % 2 == 0, "dropped", rows["outcome"]))

    assert judged(edit=drop).evidence.n == 270  # 540 / 2


def test_latency_is_the_share_under_the_bound():
    # 60 of 540 first tokens after 1.5 s, the bound is 0.3 s: 11 %, L = 9 % > 5 %
    verdict = judged(a_ttft_slo(), slow={"recovery": 60})
    assert (verdict.state, verdict.evidence.bad) == (State.FAIL, 60)


def test_latency_counts_from_when_a_request_was_due():
    # Sent 0.25 to 0.5 s late, first token 0.1 s after that: over the 0.3 s bound because of the lateness alone.
    verdict = judged(a_ttft_slo(), lateness=0.5, ttft=0.1)
    assert verdict.state is State.FAIL


@pytest.mark.parametrize("column", ["first", "due", "sent"])
def test_a_number_that_is_missing_is_never_good(column):
    verdict = judged(a_ttft_slo(), edit=lambda rows: rows.assign(**{column: np.nan}))
    assert verdict.state is not State.PASS or column == "sent"


def test_a_latency_of_a_request_without_a_token_is_bad():
    assert judged(a_ttft_slo(), edit=lambda rows: rows.assign(first=math.nan)).evidence.bad == 540


def test_whole_duration_counts_only_when_the_answer_was_whole():
    slo = an_slo(name="e2e", sli="e2e", bound=20.0, objective=0.99)
    assert judged(slo).state is State.PASS
    assert judged(slo, bad={"baseline": 30}).evidence.bad == 30


def test_the_second_witness_is_shown_beside():
    assert judged().evidence.other == {"prometheus total": 540.0, "prometheus bad": 0.0}
    assert judged(metrics=Metrics(trouble="no answer")).evidence.other == {"prometheus": "no answer"}
    nothing = Metrics(
        counted=tuple(Counted(slo="gateway/availability", phase=one, total=None, bad=None) for one in CALM)
    )
    assert judged(metrics=nothing).evidence.other == {"prometheus": "no data"}


def test_in_fewer_than_twenty_seconds_the_forecast_counts_seconds():
    # 15 s x 12/s: 180 requests that count as 15, and 90 % takes 29. In 20 s they would count as 240: so 240 are needed.
    short = a_scenario(lengths={"baseline": 15.0}, chaos=None, expect=())
    expectation = SloHolds(slo=an_slo(), during=("baseline",), objective=0.9, where=a_place())
    forecast = expectation.forecast(short, a_timeline(scenario=short).load.requests["due"])
    assert (forecast.expects, forecast.needs, forecast.can_pass) == (180, 240, False)


def test_where_seconds_suffice_the_forecast_asks_for_no_more():
    # 70 % takes 9: 9 s x 12/s = 108.
    short = a_scenario(lengths={"baseline": 8.0}, chaos=None, expect=())
    expectation = SloHolds(slo=an_slo(), during=("baseline",), objective=0.7, where=a_place())
    assert expectation.forecast(short, a_timeline(scenario=short).load.requests["due"]).needs == 108


def test_an_early_stop_needs_more_clean_requests_than_a_planned_end():
    # The e-process gives 99.9 % after 3673 clean ones, Clopper and Pearson after 2995.
    expectation = SloHolds(slo=an_slo(), during=CALM, objective=0.999, where=a_place())
    told = [expectation.forecast(a_scenario(stop=stop), [20.0]).needs for stop in ("end", "early")]
    assert told == [2995, 3673]


def test_the_forecast_says_what_a_clean_run_needs_and_what_a_bad_one_risks():
    expectation = SloHolds(slo=an_slo(), during=CALM, objective=0.99, where=a_place())
    dues = a_timeline().load.requests["due"]
    forecast = expectation.forecast(a_scenario(), dues)
    # Two tell as much as one: 270 < 299 would not do, 98 % takes 149 (no bad one) or 236 (one, that is two).
    assert (forecast.expects, forecast.needs, forecast.most_bad) == (540, 299, -1)
    assert forecast.can_pass
    assert forecast.chances[0.0] == 0.0
    eased = replace(expectation, objective=0.98).forecast(a_scenario(), dues)
    assert (eased.needs, eased.most_bad, eased.chances[0.0]) == (149, 2, 1.0)
    assert forecast.chances[0.01] < 0.05  # at the limit itself a PASS would be wrong, so it is rare
    assert not expectation.forecast(a_scenario(), dues[:200]).can_pass
