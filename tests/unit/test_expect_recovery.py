"""`recovery`: seconds from the fault to the last request at which the SLO was broken over the 5 s before it."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.expect.recovery import RecoversWithin, last_broken
from holdfast.model.verdict import State
from holdfast.testing import a_place, a_timeline, an_slo

STRUCK = 31.02


def judged(within=15.0, **story):
    return RecoversWithin(slo=an_slo(), within=within, where=a_place()).judge(a_timeline(**story))


def cut(*spans):
    """Requests that end within these spans of seconds end badly."""

    def edit(rows):
        inside = np.zeros(len(rows), dtype=bool)
        for start, end in spans:
            inside |= ((rows["done"] >= start) & (rows["done"] < end)).to_numpy()
        return rows.assign(outcome=np.where(inside, "cut", "ok"))

    return edit


def test_an_slo_never_broken_is_recovered_at_once():
    verdict = judged(bad={})
    assert (verdict.state, verdict.evidence.estimate) == (State.PASS, 0.0)
    assert verdict.sentence == "The SLO was never broken after the fault."


def test_recovery_ends_with_the_last_bad_request():
    # Bad until second 39: 39 - 31.02 = 7.98 s, and the last bad one ends within a tenth before that.
    verdict = judged(bad={}, edit=cut((STRUCK, 39.0)))
    assert verdict.state is State.PASS
    assert verdict.evidence.estimate == pytest.approx(7.9, abs=0.15)


def test_too_slow_a_recovery_fails():
    verdict = judged(within=5.0, bad={}, edit=cut((STRUCK, 39.0)))
    assert verdict.state is State.FAIL
    assert "allowed 5s" in verdict.sentence


def test_a_relapse_counts():
    # Good from 33 to 60, broken again until 62: 62 - 31.02 = 31 s.
    assert judged(bad={}, edit=cut((STRUCK, 33.0), (60.0, 62.0))).state is State.FAIL


def test_a_record_that_ends_while_broken_proves_no_recovery():
    # Bad from 72 to the end at 75, allowed a minute: nobody saw it end.
    verdict = judged(within=60.0, bad={}, edit=cut((72.0, 80.0)))
    assert verdict.state is State.UNKNOWN
    assert verdict.sentence.endswith("the record ends before 5 s of good service.")


def test_silence_after_the_fault_is_no_recovery():
    verdict = judged(bad={}, edit=lambda rows: rows[rows["done"] < STRUCK])
    assert (verdict.state, verdict.evidence.n) == (State.UNKNOWN, 0)


def test_without_a_fault_there_is_nothing_to_recover_from():
    assert judged(faults=()).state is State.UNKNOWN


def test_no_requests_at_all_are_unknown():
    assert judged(edit=lambda rows: rows.iloc[:0]).state is State.UNKNOWN


def test_a_request_that_never_ended_is_broken_until_the_record_ends():
    def hang(rows):
        return rows.assign(
            done=np.where(rows["id"] == 500, np.nan, rows["done"]),
            outcome=np.where(rows["id"] == 500, "unfinished", "ok"),
        )

    # One bad of the 60 requests in its last 5 s is 1.7 % > 1 %, at the record's end: 75 - 31.02 = 43.98 s.
    verdict = judged(bad={}, edit=hang)
    assert (verdict.state, verdict.evidence.estimate) == (State.FAIL, pytest.approx(43.98))


@pytest.mark.parametrize(
    ("ended", "bad", "budget", "last"),
    [
        ([], [], 0.01, 10.0),  # nothing seen: as if never broken; the judgement asks for good requests besides
        ([11, 12], [0, 0], 0.01, 10.0),
        ([11, 12, 13], [0, 1, 0], 0.01, 12.0),  # 1 of 2 > 1 %
        ([11, 12, 13, 14], [0, 0, 0, 1], 0.5, 10.0),  # 1 of 4 <= 50 %
        ([9, 11], [1, 0], 0.01, 10.0),  # bad before the fault is not the fault's doing
        ([11, 11.5, 20], [1, 1, 1], 0.4, 20.0),  # alone in its window: 1 of 1
    ],
)
def test_the_last_broken_moment_by_hand(ended, bad, budget, last):
    assert last_broken(np.array(ended, dtype=float), np.array(bad, dtype=bool), budget, since=10.0) == last
