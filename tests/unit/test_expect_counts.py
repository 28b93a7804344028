"""`budget` and `invariant`: what was counted, without inference; nothing counted is UNKNOWN."""

from __future__ import annotations

import math

import pytest

from holdfast.expect.budget import SpendsAtMost
from holdfast.expect.invariant import InvariantHolds
from holdfast.model.verdict import State
from holdfast.testing import a_place, a_timeline, an_slo


def spent(spend, **story):
    return SpendsAtMost(slo=an_slo(), spend=spend, where=a_place()).judge(a_timeline(**story))


def complete(**story):
    return InvariantHolds(invariant="answers-complete", where=a_place()).judge(a_timeline(**story))


def test_what_a_run_spends_is_its_bad_requests_over_those_the_period_allows():
    # 900 requests in 75 s = 12/s; 30 d x 86 400 s x 12/s x 1 % = 311 040 bad ones allowed; 4 / 311 040 = 0.00129 %
    verdict = spent(0.01)
    assert (verdict.state, verdict.evidence.bad) == (State.PASS, 4)
    assert verdict.evidence.estimate == pytest.approx(4 / 311_040)


def test_spending_more_than_allowed_fails():
    # 0.001 % of 311 040 is 3.1 bad requests; 4 were.
    assert spent(0.00001).state is State.FAIL


def test_nothing_may_be_spent_and_nothing_was():
    assert spent(0.0, bad={}).state is State.PASS
    assert spent(0.0).state is State.FAIL


def test_no_traffic_spends_nothing_and_proves_nothing():
    assert spent(0.01, edit=lambda rows: rows.iloc[:0]).state is State.UNKNOWN
    assert spent(0.01, edit=lambda rows: rows.assign(outcome="dropped")).state is State.UNKNOWN


def test_every_good_answer_holds_every_token_asked_for():
    verdict = complete()
    assert (verdict.state, verdict.evidence.n) == (State.PASS, 896)  # 900 less the 4 that were cut and say so


def test_one_clean_looking_truncation_fails():
    verdict = complete(edit=lambda rows: rows.assign(tokens=rows["tokens"] - (rows["id"] == 300)))
    assert (verdict.state, verdict.evidence.bad) == (State.FAIL, 1)


@pytest.mark.parametrize(
    "edit", [lambda rows: rows.iloc[:0], lambda rows: rows.assign(outcome="timeout")], ids=["empty", "none good"]
)
def test_an_invariant_that_speaks_of_nothing_is_unknown(edit):
    assert complete(edit=edit).state is State.UNKNOWN


@pytest.mark.parametrize("column", ["tokens", "asked_tokens"])
def test_a_count_that_is_missing_does_not_hold_the_invariant(column):
    assert complete(edit=lambda rows: rows.assign(**{column: math.nan})).state is not State.PASS
